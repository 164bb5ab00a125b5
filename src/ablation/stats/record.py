"""The record of a study's verdicts, one entry per arm."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.critical import Critical
from ablation.stats.failures import clopper_pearson_upper
from ablation.stats.followup import FollowUp, Seen, follow_up
from ablation.stats.rule import Ground, Reach, Scope, verdict_of

_POINTWISE_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Verdicts:
    """Verdicts and the numbers they rest on; every array is ``[..., arm]``, arm 0 the baseline.

    The baseline has effect 0, an empty verdict, and NaN for each comparison.
    """

    n: Ints
    """Complete blocks, which all numbers here rest on; of unpaired arms, the smaller of the arm's
    runs and the baseline's."""
    runs: Ints
    """Runs of the arm among them: n where arms are paired."""
    missing: Ints
    """Blocks left out, for all arms, because a run in them is missing."""
    alpha: Floats
    """Error rate spent on the row, by each of the two families."""
    mean: Floats
    """Mean of the arm; NaN where a run failed and no floor is declared, as are the next two."""
    effect: Floats
    """Mean difference from the baseline, in units of the metric."""
    standard_error: Floats
    """Standard error of the effect: 0 for an identical arm, NaN where none can be given."""
    fixed: Floats
    """Part of its square that more seeds cannot lower; 0 where the examples are fixed."""
    df: Floats
    """Degrees of freedom of the seeds."""
    weight: Floats
    """Share of the seeds in the critical values (`Critical`); 1 where the examples are fixed."""
    example_df: Floats
    """Degrees of freedom of the examples; 1 where they are fixed."""
    rho: Floats
    """Pairing gain: the part of the variance of a difference that sharing seeds removes."""
    raw_difference: Floats
    """Two-sided p value of the arm alone; NaN where not tested."""
    raw_equivalence: Floats
    """Larger of the two one-sided p values against the margin, of the arm alone."""
    p_difference: Floats
    """Two-sided paired t, adjusted by Holm; NaN where not tested (identical, n < 3, copies)."""
    p_equivalence: Floats
    """Two one-sided tests against the margin, adjusted by Holm as a family of its own."""
    divisor_difference: Ints
    """What alpha is divided by in an interval that agrees with Holm on the difference."""
    divisor_equivalence: Ints
    """The same for equivalence."""
    wins: Ints
    """Seeds on which the arm is above the baseline."""
    ties: Ints
    """Seeds on which both are equal."""
    losses: Ints
    """Seeds on which the arm is below the baseline."""
    failed: Ints
    """Failed runs of the arm, of n."""
    failed_alone: Ints
    """Seeds on which the arm failed and the baseline did not."""
    baseline_failed_alone: Ints
    """Seeds on which the baseline failed and the arm did not."""
    p_failures: Floats
    """Exact sign test on the two counts above, times the size of the family."""
    ground: NDArray[np.int64]
    """`Ground` that decided."""
    family: Ints
    """Comparisons corrected together, identical arms left out."""
    margin: float | None
    """Smallest effect worth acting on; None where none was declared."""
    examples: int | None
    """Test examples that the verdicts generalise over; None where they are fixed."""
    paired: bool = True
    """Whether arms and baseline were compared seed by seed."""

    @property
    def verdict(self) -> NDArray[np.str_]:
        """The word of each arm (`Verdict`); empty for the baseline."""
        return verdict_of(self.ground)

    @property
    def scope(self) -> Scope:
        """The population that the verdicts are about."""
        return Scope.THIS_SPLIT if self.examples is None else Scope.NEW_EXAMPLES

    @property
    def low(self) -> Floats:
        """Lower end of the pointwise 95 % interval, as if n had been fixed."""
        return self._ends(_POINTWISE_TAIL)[0]

    @property
    def high(self) -> Floats:
        """Upper end of the pointwise 95 % interval."""
        return self._ends(_POINTWISE_TAIL)[1]

    @property
    def estimate_low(self) -> Floats:
        """Lower end at level 1 - alpha, which covers at least 95 % over all looks together."""
        return self._ends(self.alpha / 2)[0]

    @property
    def estimate_high(self) -> Floats:
        """Upper end at level 1 - alpha."""
        return self._ends(self.alpha / 2)[1]

    @property
    def adjusted_low(self) -> Floats:
        """Lower end of the interval that agrees with Holm at alpha; jointly it covers less."""
        return self._stated(self._difference_tail())[0]

    @property
    def adjusted_high(self) -> Floats:
        """Upper end of the interval that agrees with Holm."""
        return self._stated(self._difference_tail())[1]

    @property
    def verdict_low(self) -> Floats:
        """Lower end of the interval that the verdict rests on.

        BETTER and WORSE by their means: the adjusted one, which excludes 0. EQUIVALENT: the one
        within the margin, at 1 - 2 alpha over the divisor. All others: the wider of the two.
        """
        return self._stated(self._verdict_tail())[0]

    @property
    def verdict_high(self) -> Floats:
        """Upper end of the interval that the verdict rests on."""
        return self._stated(self._verdict_tail())[1]

    @property
    def reach(self) -> Ints:
        """`Reach` of each difference that the means show."""
        above, below = self.ground == Ground.ABOVE, self.ground == Ground.BELOW
        if self.margin is None:
            return np.zeros(self.ground.shape, np.int64)
        low, high = self._stated(self._difference_tail())
        near, far = np.where(below, -high, low), np.where(below, -low, high)
        size = np.where(far < self.margin, Reach.BELOW_MARGIN, Reach.OPEN)
        size = np.where(near > self.margin, Reach.AT_LEAST_MARGIN, size)
        return np.where(above | below, size, Reach.NONE).astype(np.int64)

    @property
    def by_margin(self) -> Bools:
        """Returns whether the adjusted interval of BETTER or WORSE is beyond the margin."""
        return np.asarray(self.reach == Reach.AT_LEAST_MARGIN)

    @property
    def may_differ95(self) -> Floats:
        """One-sided 95 % bound of the share of seeds on which an IDENTICAL arm differs."""
        same = self.ground == Ground.IDENTICAL
        return np.where(same, clopper_pearson_upper(0, self.n), np.nan)

    @property
    def failed_upper95(self) -> Floats:
        """One-sided 95 % upper bound of the failure rate (Clopper & Pearson 1934)."""
        return clopper_pearson_upper(self.failed, self.runs)

    def follow_up(self, *, comparisons: ArrayLike | None = None, alpha: float = 0.05) -> FollowUp:
        """Returns the sizes of a follow-up study on fresh seeds, which has its own `alpha`.

        Only undecided arms have one; the others are NaN. ``inf`` is more than 200 seeds.

        Args:
            comparisons: Size of the follow-up's family; that of this study where None.
            alpha: Error rate of each of the follow-up's families.
        """
        asked = (self.ground == Ground.UNDECIDED) | (self.ground == Ground.FAILURES_OBJECT)
        spread = np.sqrt(np.maximum(self.n * (self.standard_error**2 - self.fixed), 0.0))
        seen = Seen(
            n=self.n,
            effect=self.effect,
            spread=np.where(asked, spread, np.nan),
            fixed=self.fixed,
            example_df=self.example_df,
            failed_alone=self.failed_alone,
            baseline_failed_alone=self.baseline_failed_alone,
            failing=self._rate(self.failed_alone),
            baseline_failing=self._rate(self.baseline_failed_alone),
        )
        size = self.family if comparisons is None else comparisons
        return follow_up(seen, margin=self.margin, comparisons=size, alpha=alpha)

    def _rate(self, counts: Ints) -> Floats:
        """Returns counts over the runs of all arms but the baseline, ``[..., 1]``."""
        runs = np.maximum(self.runs[..., 1:].sum(axis=-1, keepdims=True), 1)
        return np.asarray(counts[..., 1:].sum(axis=-1, keepdims=True) / runs)

    def _ends(self, tail: ArrayLike) -> tuple[Floats, Floats]:
        half = self._critical().quantile(tail) * self.standard_error
        return self.effect - half, self.effect + half

    def _stated(self, tail: Floats) -> tuple[Floats, Floats]:
        """Returns the ends where a test was made; an identical arm has 0 and 0."""
        low, high = self._ends(tail)
        stated = (self.ground == Ground.IDENTICAL) | ~np.isnan(self.p_difference)
        return np.where(stated, low, np.nan), np.where(stated, high, np.nan)

    def _critical(self) -> Critical:
        return Critical(df=self.df, weight=self.weight, example_df=self.example_df)

    def _difference_tail(self) -> Floats:
        return np.asarray(self.alpha / (2 * self.divisor_difference))

    def _verdict_tail(self) -> Floats:
        apart = self._difference_tail()
        if self.margin is None:
            return apart
        within = self.alpha / self.divisor_equivalence
        shown = (self.ground == Ground.ABOVE) | (self.ground == Ground.BELOW)
        rest = np.where(shown, apart, np.minimum(apart, within))
        return np.where(self.ground == Ground.WITHIN_MARGIN, within, rest)
