"""The result of a walk over looks, and questions to it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.stats.arrays import Bools, Floats, Ints
from ablation.stats.blocks import Blocks
from ablation.stats.judge import Case, Pools, case_of, judge, pooled_spread
from ablation.stats.record import Verdicts
from ablation.stats.rule import FEWEST_SEEDS, Ground, Verdict
from ablation.stats.shape import odd_shapes
from ablation.stats.unpaired import judge_unpaired, unpaired_case

_DECIDED = (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Look:
    """One look of a schedule."""

    seeds: int
    """Blocks looked at."""
    alpha: float
    """Error rate spent."""
    judged: Bools
    """Arms that the look judged, ``[..., arm]``: none where it was not reached."""
    verdicts: Verdicts
    """The numbers of this look; they mean something where an arm was judged."""
    case: Case
    """The facts known of the study at the looks."""
    pools: Pools
    """Who shared alpha."""
    quantum: float
    """Step of the metric."""
    asked: Bools
    """Arms that were still undecided, ``[..., arm]``."""

    def again(self, *, scale: float = 1.0, pooled: bool = False) -> Verdicts:
        """Returns the verdicts under another margin or spread; they decide nothing.

        Args:
            scale: What the margin is multiplied by.
            pooled: Whether a spread below the family's is not believed below eight seeds.
        """
        margin = None if self.verdicts.margin is None else scale * self.verdicts.margin
        if not self.verdicts.paired:
            return judge_unpaired(self.case, margin, self.alpha)
        spread = pooled_spread(self.case) if pooled else None
        return judge(self.case, margin, self.alpha, pools=self.pools, spread=spread)

    def without_each(self) -> Iterator[Verdicts]:
        """Yields the verdicts at the same alpha without one seed; they decide nothing.

        Where arms share no seeds, a run of each arm is left out, and then one of the baseline.
        """
        if self.verdicts.paired:
            yield from map(self._without, range(self.seeds))
            return
        is_arm = np.arange(self.judged.shape[-1]) > 0
        for seed, side in product(range(self.seeds), (is_arm, ~is_arm)):
            case = unpaired_case(self.case.blocks.without(seed, side), self.quantum)
            yield judge_unpaired(case, self.verdicts.margin, self.alpha)

    def _without(self, seed: int) -> Verdicts:
        blocks = self.case.blocks.without(seed)
        called = self.case.same | self.case.contradicted
        case = case_of(blocks, self.quantum, called, self.asked)
        return judge(case, self.verdicts.margin, self.alpha, pools=self.pools)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Spent:
    """One-sided p values over all looks so far, ``[..., arm]``, 1 where nothing was tested.

    Each is the smallest over the looks of p times the whole alpha over the look's, and is
    compared with the whole alpha. Failures that forbid a claim make it 1.
    """

    above: Floats
    """For an effect above 0."""
    below: Floats
    """For an effect below 0."""
    within: Floats
    """For an effect within the margin."""

    @property
    def apart(self) -> Floats:
        """Two-sided p value for an effect other than 0."""
        return np.asarray(np.minimum(2 * np.minimum(self.above, self.below), 1.0))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Walk:
    """The result of a schedule of looks so far."""

    verdicts: Verdicts
    """The final numbers, every row that of its arm's last look; the baseline's row is from the
    last look that was reached. Short of the first look they are shown and not judged."""
    seeds: Ints
    """Seeds planned for each arm, given what has been decided, ``[..., arm]``."""
    reached: Ints
    """Number of looks that were reached, ``[...]``."""
    looks: tuple[Look, ...]
    """Every look up to the last that any study reached, and the first in any case."""
    alpha: float
    """The error rate that all looks of the schedule spend together."""
    collapsed: Bools
    """Runs that a fall below half of their arm's gain over chance made FAILED at the arm's last
    look, ``[..., arm, seed]``."""

    @property
    def verdict(self) -> NDArray[np.str_]:
        """The word of every arm; empty for the baseline."""
        return self.verdicts.verdict

    @property
    def look(self) -> Ints:
        """Seeds of the look that each row is from, ``[..., arm]``."""
        return np.asarray(self._last(lambda look: np.full(look.judged.shape, look.seeds)))

    @property
    def oddly_shaped(self) -> Bools:
        """Arms whose differences are too skewed or too far apart for a t test, ``[..., arm]``."""

        def odd(look: Look) -> Bools:
            blocks = look.case.blocks
            if not look.verdicts.paired:
                return _odd_runs(blocks) & look.judged & look.case.tested
            differences = blocks.scores - blocks.scores[..., :1, :]
            return odd_shapes(differences, blocks.kept) & look.judged & look.case.tested

        return np.asarray(self._last(odd))

    @property
    def rests_on_one_seed(self) -> Bools:
        """Arms that leaving out a single seed of their look would take their verdict from."""

        def turned(look: Look) -> Bools:
            word, fell = look.verdicts.verdict, np.zeros(look.judged.shape, np.bool_)
            for left in look.without_each():
                fell = fell | (left.verdict != word)
            return fell & np.isin(word, _DECIDED) & look.judged & (look.verdicts.n > FEWEST_SEEDS)

        return np.asarray(self._last(turned))

    def again(self, *, scale: float = 1.0, pooled: bool = False) -> NDArray[np.str_]:
        """Returns each arm's word at its last look under another margin or a pooled spread."""
        words = self._last(lambda look: look.again(scale=scale, pooled=pooled).verdict)
        return np.asarray(words)

    def spent(self) -> Spent:
        """Returns the p values that data sets and studies are combined by."""
        ends = [np.ones(self.seeds.shape) for _ in range(3)]
        for look in self.looks:
            for place, p in enumerate(_one_sided(look)):
                share = np.where(look.judged & ~np.isnan(p), p * self.alpha / look.alpha, 1.0)
                ends[place] = np.minimum(ends[place], share)
        return Spent(above=ends[0], below=ends[1], within=ends[2])

    def _last(self, of: Callable[[Look], Any]) -> Any:
        """Returns each arm's entry of the last look that judged it; the first's where none did."""
        found = of(self.looks[0])
        for look in self.looks[1:]:
            found = np.where(look.judged, of(look), found)
        return found


def _odd_runs(blocks: Blocks) -> Bools:
    """Returns the arms whose own runs, or the baseline's, are oddly shaped, ``[..., arm]``."""
    nobody = np.zeros((*blocks.scores.shape[:-2], 1, blocks.scores.shape[-1]))
    scores = np.concatenate([nobody, blocks.scores], axis=-2)
    odd = odd_shapes(scores, np.concatenate([nobody > 0, blocks.kept], axis=-2))[..., 1:]
    return np.asarray(odd | odd[..., :1])


def _one_sided(look: Look) -> tuple[Floats, Floats, Floats]:
    """Returns the p values for above 0, below 0 and within the margin, 1 where failures object."""
    v = look.verdicts
    half = v.raw_difference / 2
    above, below = (np.where(up, half, 1 - half) for up in (v.effect > 0, v.effect < 0))
    either = v.failed_alone + v.baseline_failed_alone > 0
    return (
        np.where(v.failed_alone > 0, 1.0, above),
        below,
        np.where(either, 1.0, v.raw_equivalence),
    )


def rows_of(record: Verdicts, chosen: Bools, other: Verdicts) -> Verdicts:
    """Returns a record with the chosen rows of another, ``[..., arm]``, in place of its own."""
    columns: dict[str, Any] = {
        field.name: np.where(chosen, getattr(other, field.name), getattr(record, field.name))
        for field in fields(Verdicts)
        if field.name not in {"margin", "examples", "paired"}
    }
    return replace(record, **columns)


def last_rows(taken: Sequence[Look]) -> Verdicts:
    """Returns every arm's row of its last look; short of the first look no row is judged."""
    final = _shown_only(taken[0].verdicts, ~taken[0].judged)
    for look in taken[1:]:
        final = rows_of(final, look.judged, look.verdicts)
    return final


def _shown_only(found: Verdicts, rows: Bools) -> Verdicts:
    """Returns the record with some rows, ``[..., arm]``, shown and not judged."""
    names = ("raw_difference", "raw_equivalence", "p_difference", "p_equivalence", "p_failures")
    hidden: dict[str, Any] = {name: np.where(rows, np.nan, getattr(found, name)) for name in names}
    is_arm = np.arange(found.ground.shape[-1]) > 0
    ground = np.where(rows & is_arm, np.int64(Ground.NOT_REACHED), found.ground)
    return replace(found, ground=ground, **hidden)
