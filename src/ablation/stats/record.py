"""The record of a study's verdicts, one entry per arm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.stats.blocks import Bools, Floats, Ints
from ablation.stats.planning import FollowUp, follow_up
from ablation.stats.rule import Ground, verdict_of


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Verdicts:
    """Verdicts and the numbers they rest on; every array is ``[..., arm]``, arm 0 the baseline.

    The baseline has effect 0, an empty verdict, and NaN where a comparison would stand.
    """

    n: Ints
    """Complete blocks, which all numbers here rest on."""
    missing: Ints
    """Blocks left out, for all arms, because a run in them is missing."""
    mean: Floats
    """Mean of the arm; NaN where a run failed and no floor is declared, as are the next two."""
    effect: Floats
    """Mean difference from the baseline, in units of the metric."""
    standard_error: Floats
    """Standard error of the effect: 0 for an identical arm, NaN where none can be given."""
    rho: Floats
    """Pairing gain: the part of the variance of a difference that sharing seeds removes."""
    p_difference: Floats
    """Two-sided paired t, adjusted by Holm; NaN where not tested (identical, n < 3, copies)."""
    p_equivalence: Floats
    """Two one-sided tests against the margin, adjusted by Holm as a family of its own."""
    low: Floats
    """Lower end of the pointwise 95 % interval, whatever alpha is."""
    high: Floats
    """Upper end of the pointwise 95 % interval."""
    adjusted_low: Floats
    """Lower end of the interval that agrees with Holm at alpha; jointly it covers less."""
    adjusted_high: Floats
    """Upper end of the interval that agrees with Holm."""
    wins: Ints
    """Seeds on which the arm is above the baseline."""
    ties: Ints
    """Seeds on which both are equal."""
    losses: Ints
    """Seeds on which the arm is below the baseline."""
    failed: Ints
    """Failed runs of the arm, of n."""
    failed_upper95: Floats
    """One-sided 95 % upper bound of the failure rate (Clopper & Pearson 1934)."""
    failed_alone: Ints
    """Seeds on which the arm failed and the baseline did not."""
    baseline_failed_alone: Ints
    """Seeds on which the baseline failed and the arm did not."""
    p_failures: Floats
    """Exact sign test on the two counts above, times the size of the family."""
    ground: NDArray[np.int64]
    """`Ground` that decided."""
    by_margin: Bools
    """Whether BETTER or WORSE is by at least the margin: the adjusted interval is beyond it."""
    family: Ints
    """Comparisons corrected together, identical arms left out, ``[..., 1]``."""
    margin: float | None
    """Smallest effect worth acting on; None where none was declared."""
    alpha: float
    """Error rate spent here, by each of the two families."""

    @property
    def verdict(self) -> NDArray[np.str_]:
        """BETTER, WORSE, EQUIVALENT or INCONCLUSIVE; empty for the baseline."""
        return verdict_of(self.ground)

    @property
    def baseline_failed(self) -> Bools:
        """Whether the baseline failed on any block, ``[...]``: a caveat of every verdict."""
        return np.asarray(self.failed[..., 0] > 0)

    @property
    def seeds_likely(self) -> Floats:
        """Seeds of a follow-up study that decides with probability 0.8; see `follow_up`."""
        return self.follow_up().likely

    @property
    def seeds_sufficient(self) -> Floats:
        """Seeds of a follow-up study that decides if the spread stays; see `follow_up`."""
        return self.follow_up().sufficient

    def follow_up(self, *, alpha: float = 0.05) -> FollowUp:
        """Returns the sizes of a follow-up study on fresh seeds, which has its own `alpha`.

        Only undecided arms have one; the others are NaN. ``inf`` is more than 200 seeds.
        """
        undecided = self.ground == Ground.UNDECIDED
        return follow_up(
            n=self.n,
            effect=self.effect,
            spread=np.where(undecided, self.standard_error * np.sqrt(self.n), np.nan),
            margin=self.margin,
            comparisons=np.broadcast_to(self.family, self.n.shape),
            alpha=alpha,
        )
