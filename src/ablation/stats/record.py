"""The record of a study's verdicts, one entry per arm."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats.blocks import Bools, Floats, Ints
from ablation.stats.failures import clopper_pearson_upper
from ablation.stats.paired import interval
from ablation.stats.planning import FollowUp, follow_up
from ablation.stats.rule import Ground, verdict_of

_POINTWISE_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Verdicts:
    """Verdicts and the numbers they rest on; every array is ``[..., arm]``, arm 0 the baseline.

    The baseline has effect 0, an empty verdict, and NaN where a comparison would stand.
    """

    n: Ints
    """Complete blocks, which all numbers here rest on."""
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
    df: Floats
    """Degrees of freedom of the standard error."""
    rho: Floats
    """Pairing gain: the part of the variance of a difference that sharing seeds removes."""
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

    @property
    def low(self) -> Floats:
        """Lower end of the pointwise 95 % interval, whatever alpha is."""
        return self._interval(_POINTWISE_TAIL)[0]

    @property
    def high(self) -> Floats:
        """Upper end of the pointwise 95 % interval."""
        return self._interval(_POINTWISE_TAIL)[1]

    @property
    def adjusted_low(self) -> Floats:
        """Lower end of the interval that agrees with Holm at alpha; jointly it covers less."""
        return self._adjusted()[0]

    @property
    def adjusted_high(self) -> Floats:
        """Upper end of the interval that agrees with Holm."""
        return self._adjusted()[1]

    @property
    def failed_upper95(self) -> Floats:
        """One-sided 95 % upper bound of the failure rate (Clopper & Pearson 1934)."""
        return clopper_pearson_upper(self.failed, self.n)

    @property
    def by_margin(self) -> Bools:
        """Whether the adjusted interval of BETTER or WORSE is beyond the margin."""
        beyond = np.inf if self.margin is None else self.margin
        low, high = self._adjusted()
        upwards = (self.ground == Ground.ABOVE) & (low > beyond)
        return np.asarray(upwards | ((self.ground == Ground.BELOW) & (high < -beyond)))

    def _interval(self, tail: ArrayLike) -> tuple[Floats, Floats]:
        return interval(self.effect, self.standard_error, self.df, tail)

    def _adjusted(self) -> tuple[Floats, Floats]:
        low, high = self._interval(self.alpha / (2 * self.divisor_difference))
        stated = (self.ground == Ground.IDENTICAL) | ~np.isnan(self.p_difference)
        return np.where(stated, low, np.nan), np.where(stated, high, np.nan)

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
            comparisons=self.family,
            alpha=alpha,
        )
