"""Sizes of follow-up studies: the seeds that would decide an undecided arm."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.stats import special
from ablation.stats.arrays import Bools, Floats
from ablation.stats.critical import t_quantile
from ablation.stats.failures import sign_test
from ablation.stats.paired import error_of
from ablation.stats.rule import FEWEST_SEEDS

MOST_SEEDS: Final = 200
"""Beyond this many seeds a follow-up is not a plan: widen the margin or cut the noise."""
LIKELY: Final = 0.8
POOLED_RUNS: Final = 10.0
"""Seeds that the failures of the whole family count as, beside an arm's own."""
_TAILS: Final = (np.arange(10) + 0.5) / 10
_SIZES: Final = np.arange(FEWEST_SEEDS, MOST_SEEDS + 1)


# Each test's quantiles over seeds and over examples: taken once, as they cost most of the time.
_Quantiles = tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """Sizes of a follow-up study; NaN where not asked, ``inf`` for more than 200 seeds."""

    likely: Floats
    """Fewest seeds whose predictive probability of any verdict is at least 0.8."""
    sufficient: Floats
    """Fewest seeds at which some verdict must fall if the spread stays as seen."""
    needs_examples: Bools
    """Whether no number of seeds is likely to decide, and a larger test split is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The numbers of a study that a follow-up is planned from, ``[...]``."""

    n: ArrayLike
    """Seeds."""
    effect: ArrayLike
    """Mean difference, in units of the metric."""
    spread: ArrayLike
    """Standard deviation of the differences over seeds; NaN gives NaN."""
    fixed: ArrayLike = 0.0
    """Part of the variance of the effect that more seeds cannot lower."""
    example_df: ArrayLike = 1.0
    """Test examples less one, where they are sampled."""
    failed_alone: ArrayLike = 0
    """Seeds on which the arm failed and the baseline did not."""
    baseline_failed_alone: ArrayLike = 0
    """Seeds on which the baseline failed and the arm did not."""
    failing: ArrayLike = 0.0
    """Rate of failures alone over all arms of the study."""
    baseline_failing: ArrayLike = 0.0
    """Rate at which the baseline fails alone, over all arms of the study."""


def follow_up(
    seen: Seen, *, margin: float | None, comparisons: ArrayLike, alpha: float = 0.05
) -> FollowUp:
    r"""Returns how many fresh seeds would decide each arm, at its share of alpha.

    The mean of the follow-up's own n seeds is predicted as
    :math:`d + t_{n_0-1}\, s\, \sqrt{1/n_0 + 1/n}`, with the true spread that goes with each
    value of t, on the same test split. Failures on one side alone are predicted from the counts
    seen (beta-binomial): a verdict then needs none of them, or the sign test.

    A predictive probability holds on average over effects, not at each one: .86 to .96 of such
    follow-ups decide, averaged over true effects uniform on +-3 SD.

    Args:
        seen: What the study saw.
        margin: Smallest effect worth acting on, or None: then no number is sufficient.
        comparisons: Size of the follow-up's family, ``[...]``.
        alpha: Error rate of each of its families.
    """
    names = Seen.__dataclass_fields__
    columns = np.broadcast_arrays(*(getattr(seen, name) for name in names), comparisons)
    shape = columns[0].shape
    flat = [np.asarray(column, dtype=np.float64).reshape(-1, 1) for column in columns]
    known = ~np.isnan(flat[2]) & (flat[0] >= FEWEST_SEEDS)
    filled = [np.where(known, column, 1.0) for column in flat]
    arms = _Arms(
        **dict(zip((*names, "family"), filled, strict=True)),
        alpha=np.asarray(alpha),
        room=np.asarray(-np.inf if margin is None else margin),
    )
    free, sign = _failures(arms, known)
    quantiles = arms.quantiles(_SIZES)
    chance = free * arms.chance(_SIZES, quantiles) + sign
    outside, inside = arms.reach(_SIZES, arms.spread, quantiles)
    enough = (outside + inside <= arms.room) & (free + sign >= LIKELY)
    likely = _first_size(chance >= LIKELY, known)
    return FollowUp(
        likely=likely.reshape(shape),
        sufficient=_first_size(enough, known & (margin is not None)).reshape(shape),
        needs_examples=(np.isinf(likely) & arms.is_split_short()[:, 0]).reshape(shape),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Arms:
    """The columns of `Seen`, ``[arm, 1]``, with all that a follow-up is asked with."""

    n: Floats
    effect: Floats
    spread: Floats
    fixed: Floats
    example_df: Floats
    failed_alone: Floats
    baseline_failed_alone: Floats
    failing: Floats
    baseline_failing: Floats
    family: Floats
    alpha: Floats
    room: Floats

    def quantiles(self, sizes: NDArray[Any]) -> _Quantiles:
        """Returns the quantiles of both tests, over seeds and over examples."""
        apart, within = self.alpha / (2 * self.family), self.alpha / self.family
        return (
            (t_quantile(apart, sizes - 1), t_quantile(apart, self.example_df)),
            (t_quantile(within, sizes - 1), t_quantile(within, self.example_df)),
        )

    def reach(
        self, sizes: NDArray[Any], spread: Floats, quantiles: _Quantiles
    ) -> tuple[Floats, Floats]:
        """Returns how far a mean must be from 0 and from the margin, ``[arm, size]``."""
        n = np.broadcast_to(sizes, np.broadcast_shapes(self.n.shape, sizes.shape))
        error, critical = error_of(spread, n, self.fixed, self.example_df)
        apart, within = (critical.mix(*pair) * error for pair in quantiles)
        return apart, within

    def chance(self, sizes: NDArray[Any], quantiles: _Quantiles) -> Floats:
        """Returns the probability that the means decide, ``[arm, size]``.

        Averages over what the true spread may be, given the one seen. Taken to stay as seen, it
        lets .67 of the follow-ups of a study of three seeds decide instead of four fifths, and
        .77 of one of five.
        """
        chance = np.zeros((self.n.shape[0], sizes.size))
        for tail in _TAILS:
            spread = self.spread / np.sqrt(special.chdtri(self.n - 1, tail) / (self.n - 1))
            width = spread * np.sqrt(1 / self.n + 1 / sizes)
            outside, inside = self.reach(sizes, spread, quantiles)
            chance += self._decided(outside, inside, width) / len(_TAILS)
        return chance

    def _decided(self, outside: Floats, inside: Floats, width: Floats) -> Floats:
        """Returns P(a mean is far enough from 0, or from the margin)."""
        near = np.minimum(np.maximum(self.room - inside, 0.0), outside)
        scale = np.maximum(width, np.finfo(np.float64).tiny)

        def below(point: Floats) -> Floats:
            return np.asarray(special.ndtr((point - self.effect) / scale))

        return 1 - below(outside) + below(near) - below(-near) + below(-outside)

    def is_split_short(self) -> Bools:
        """Returns whether endless seeds would leave the probability of a verdict below 0.8."""
        error = np.sqrt(self.fixed)
        outside = t_quantile(self.alpha / (2 * self.family), self.example_df) * error
        inside = t_quantile(self.alpha / self.family, self.example_df) * error
        decided = self._decided(outside, inside, self.spread / np.sqrt(self.n))
        return np.asarray((self.fixed > 0) & (decided < LIKELY))


def _failures(arms: _Arms, known: Bools) -> tuple[Floats, Floats]:
    """Returns the chances of failure counts that leave a verdict, ``[arm, size]``.

    No failure on one side alone, which leaves it to the means; and counts that decide by the
    sign test. Any others are taken to forbid a verdict: they put so much spread into the
    differences that hardly a mean decides.
    """
    shape = (arms.n.shape[0], _SIZES.size)
    free, sign = np.ones(shape), np.zeros(shape)
    own = arms.failed_alone + arms.baseline_failed_alone
    failing = own + arms.failing + arms.baseline_failing > 0
    for arm in np.flatnonzero(failing & known):
        free[arm], sign[arm] = _failures_of(
            float(arms.failed_alone[arm, 0]),
            float(arms.baseline_failed_alone[arm, 0]),
            POOLED_RUNS * float(arms.failing[arm, 0] + arms.baseline_failing[arm, 0]),
            n=float(arms.n[arm, 0]),
            level=float(arms.alpha / arms.family[arm, 0]),
        )
    return free, sign


@lru_cache(maxsize=256)  # 10 ms each; arms without failures of their own share one
def _failures_of(
    mine: float, its: float, pooled: float, *, n: float, level: float
) -> tuple[Floats, Floats]:
    """Returns the two chances of `_failures` for one arm, each ``[size]``.

    The number of seeds with a failure on one side is beta-binomial, and so is, given that, the
    number on the arm's side.

    Args:
        mine: Seeds on which the arm failed alone.
        its: Seeds on which the baseline failed alone.
        pooled: Expected number of both in `POOLED_RUNS` seeds of the whole family.
        n: Seeds seen.
        level: Level of the sign test.
    """
    rest = n + POOLED_RUNS - mine - its - pooled
    counts = np.arange(MOST_SEEDS + 1)
    seeds = _beta_binomial(counts, _SIZES[:, None], mine + its + pooled, max(rest, 0.5))
    less = np.maximum(counts[:, None] - counts, 0)
    decides = sign_test(np.broadcast_to(counts, less.shape), less) <= level
    on_mine = _beta_binomial(counts, counts[:, None], mine + 1, its + 1)
    sign = seeds @ np.sum(on_mine * decides, axis=-1)
    return seeds[:, 0], _one_sided(mine, its) * sign


def _one_sided(mine: float, its: float) -> float:
    """Returns the probability that the two sides fail at different rates, even odds before.

    Without it one failure of five, and none of the baseline, would promise that the sign test
    decides: .26 of such follow-ups did where all arms fail alike, in 12 % of runs.
    """
    alike = np.exp(special.gammaln(mine + its + 1) - special.gammaln(mine + 1))
    alike *= np.exp(-special.gammaln(its + 1)) * 0.5 ** (mine + its)
    unlike = 1 / (mine + its + 1)  # every count alike, under a uniform share
    return float(unlike / (unlike + alike))


def _beta_binomial(k: NDArray[Any], n: NDArray[Any], a: float, b: float) -> Floats:
    """Returns P(k of n) where the rate is Beta(a, b); a or b of 0 puts it at 0 or 1."""
    if a <= 0 or b <= 0:
        return np.where(k == (0 if a <= 0 else n), 1.0, 0.0) * np.ones(np.shape(n))
    inside = k <= n
    rest = np.where(inside, n - k, 0)
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(rest + 1)
    log = ways + special.betaln(k + a, rest + b) - special.betaln(a, b)
    return np.where(inside, np.exp(np.where(inside, log, 0.0)), 0.0)


def _first_size(decides: ArrayLike, known: ArrayLike) -> Floats:
    decides = np.asarray(decides)
    first = np.where(decides.any(axis=-1), _SIZES[decides.argmax(axis=-1)], np.inf)
    return np.where(np.asarray(known)[..., 0], first, np.nan)
