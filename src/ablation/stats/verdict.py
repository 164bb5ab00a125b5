"""The one public call: the whole family of a study in, one verdict per arm out."""

from numpy.typing import ArrayLike

from ablation.stats.judge import judge, open_case
from ablation.stats.record import Verdicts


def verdicts(
    values: ArrayLike,
    *,
    margin: float | None,
    status: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    quantum: float = 0.0,
    identical: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Verdicts:
    """Judges every arm of a study against its baseline, as one family.

    Differences by the paired t, equivalence by two one-sided t tests (Schuirmann 1987), each
    corrected by Holm (1979) as a family of its own: the rate of any false claim is at most
    `alpha` in each.

    A study that adds seeds until it is decided is judged by `walk_looks`.

    Verdicts are about new seeds and new test examples where `scores` are given (errors of
    crossed mean squares, Cochran's critical values), else about new seeds on this test split.

    Args:
        values: Metric ``[..., arm, seed]``, arm 0 the baseline, higher is better (negate a
            loss). Leading axes are independent studies.
        margin: Smallest effect anybody would act on, in units of the metric. Without one no
            arm is EQUIVALENT.
        status: `Status` of each run, of the shape of values; all FINISHED where None.
        floor: Value of a failed run, in units of the metric (chance level), or its score on
            each example ``[example]``. Without one a failure leaves its arm, and the
            baseline's every arm, INCONCLUSIVE.
        quantum: Step of the metric, one over the test size for accuracy; 0 if continuous. Where
            a step is as large as the noise, error rates swing around alpha with the place of
            the margin between two steps (at 3 to 8 seeds .00 to .075 for equivalence, .00 to
            .060 for a difference).
        identical: Whether an arm left the baseline's weights or predictions on every seed,
            ``[..., arm]``. Such arms are IDENTICAL and leave both families.
        scores: Score of each run on each test example, booleans or floats
            ``[..., arm, seed, example]``, whose mean is the metric; None where the metric is no
            such mean or a finished run has none. Only those of finished runs are read.
        alpha: Error rate of each family.

    Returns:
        One entry per arm, ``[..., arm]``.

    Raises:
        ValueError: On a finished run without a finite value, a wrong shape, scores whose mean
            is not the metric, or a margin, quantum or alpha out of range.
    """
    case = open_case(values, status, floor, quantum, identical, scores=scores)
    return judge(case, margin, alpha)
