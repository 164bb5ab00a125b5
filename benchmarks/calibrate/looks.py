"""Looks where the hump is, the rule that looks natural, intervals after looks, and the price."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Verdict, Walk, verdicts, walk_looks
from ablation.stats.blocks import check_runs
from ablation.stats.judge import Pools, case_of, judge
from calibrate.promise import (
    ALPHA,
    SEED,
    Check,
    any_of,
    covers,
    error_checks,
    within,
)

Floats = NDArray[np.float64]
LOOKS, SPEND = (5, 8, 12, 20), (0.005, 0.010, 0.015, 0.020)
EFFECTS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""True effects, in SDs of a difference, that intervals are to cover."""
MIXED = (0.0, 0.0, -3.0, 1.5, 1.0, -0.5)
"""Effects of the mixed truth in SDs of a difference, with a margin of 1."""


@dataclass(frozen=True, slots=True)
class LookCell:
    """One point of the grid; margin in SDs of a paired difference."""

    truth: str
    margin: float
    comparisons: int
    baseline: float
    """Spread of the baseline over that of the arms."""


def look_cells() -> list[LookCell]:
    """Returns margins left, right and on top of the hump, loud and quiet baselines."""
    return [
        LookCell(truth, margin, comparisons, baseline)
        for truth in ("edges", "one at 0", "equal")
        for comparisons in (2, 6, 10, 15)
        for margin in (0.8, 1.0, 1.2, 1.4, 1.7)
        for baseline in (1.0, 0.1)
    ]


def draw_looks(cell: LookCell, studies: int, number: int) -> tuple[Floats, Floats, float]:
    """Returns values ``[study, arm, seed]``, true effects ``[arm]`` and the margin."""
    draw = np.random.default_rng([SEED, 1, number])
    sd = np.sqrt(1 + cell.baseline**2)
    margin = cell.margin * sd
    effects = margin * np.where(np.arange(cell.comparisons) % 2, -1.0, 1.0)
    if cell.truth == "one at 0":
        effects[0] = 0.0
    if cell.truth == "equal":
        effects[:] = 0.0
    values = draw.normal(size=(studies, cell.comparisons + 1, LOOKS[-1]))
    values[:, 0] *= cell.baseline
    values[:, 1:] += effects[:, None]
    return values, effects, margin


def look_checks(cell: LookCell, studies: int, number: int) -> list[Check]:
    """Returns the error rates of the shipped engine at looks."""
    values, effects, margin = draw_looks(cell, studies, number)
    walked = walk_looks(values, looks=LOOKS, spend=SPEND, margin=margin)
    name = (
        f"looks, {cell.truth}, margin {cell.margin}, m={cell.comparisons}, "
        f"baseline SD {cell.baseline}"
    )
    return error_checks(name, studies, *false_claims(walked, effects, margin))


def false_claims(
    walked: Walk, effects: Floats, margin: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns the false differences, false EQUIVALENT and false words, each ``[study, arm]``."""
    better, worse, equivalent = _words(walked.verdict[:, 1:])
    said = (better & (effects <= 0)) | (worse & (effects >= 0))
    equal = equivalent & (np.abs(effects) >= margin)
    return said | _rejected(walked, effects), equal, said | equal


def _rejected(walked: Walk, effects: Floats) -> NDArray[np.bool_]:
    """Returns false rejections of a difference at any look, where EQUIVALENT wins too."""
    found = np.zeros(walked.verdict[:, 1:].shape, np.bool_)
    for look in walked.looks:
        v = look.verdicts
        seen = look.judged & (v.p_difference <= look.alpha)
        found |= seen[:, 1:] & (np.sign(v.effect[:, 1:]) != np.sign(effects))
    return found


def _words(words: NDArray[np.str_]) -> tuple[NDArray[np.bool_], ...]:
    return tuple(words == w for w in (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT))


def natural_rule(values: Floats, margin: float) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Returns words and seeds under Holm over the arms still undecided, which is wrong."""
    runs = check_runs(values)
    shape = values.shape[:-1]
    arms = np.broadcast_to(np.arange(shape[-1]) > 0, shape)
    words, seeds = np.where(arms, Verdict.INCONCLUSIVE.value, ""), np.full(shape, LOOKS[-1])
    nobody = np.zeros(shape, np.bool_)
    for n, alpha in zip(LOOKS, SPEND, strict=True):
        still = words == Verdict.INCONCLUSIVE
        case = case_of(runs.blocks(n, still | ~arms), 0.0, nobody, still)
        pools = Pools(difference=still, equivalence=still, failures=still, late=nobody)
        seen = judge(case, margin, alpha, pools=pools).verdict
        decided = still & (seen != Verdict.INCONCLUSIVE)
        words, seeds = np.where(decided, seen, words), np.where(decided, n, seeds)
    return words, seeds


def natural_checks(studies: int) -> list[Check]:
    """Returns the negative control: the natural rule, where it is at its worst."""
    found = []
    for number, cell in enumerate(
        (LookCell("edges", 1.2, 6, 0.1), LookCell("edges", 1.4, 15, 0.1))
    ):
        values, effects, margin = draw_looks(cell, studies, 900 + number)
        words, _ = natural_rule(values, margin)
        wrong = (words[:, 1:] == Verdict.EQUIVALENT) & (np.abs(effects) >= margin)
        found.append(
            Check(
                promise="control: Holm over the undecided arms",
                cell=f"edges, margin {cell.margin}, m={cell.comparisons}",
                seen=any_of(wrong),
                bound=within(ALPHA, studies),
                control=True,
            )
        )
    return found


def interval_checks(studies: int) -> list[Check]:
    """Returns how often the estimate after looks covers, per true effect and margin."""
    return [
        check
        for place, margin in enumerate((0.8, 1.2, 1.7))
        for check in _interval_checks(margin, studies, place)
    ]


def _interval_checks(margin: float, studies: int, place: int) -> Iterator[Check]:
    draw = np.random.default_rng([SEED, 2, place])
    effects, sd = np.sqrt(2) * np.array(EFFECTS), np.sqrt(2)
    values = draw.normal(size=(studies, len(EFFECTS) + 1, LOOKS[-1]))
    values[:, 1:] += effects[:, None]
    walked = walk_looks(values, looks=LOOKS, spend=SPEND, margin=margin * sd)
    v = walked.verdicts
    covered = (v.estimate_low[:, 1:] <= effects) & (effects <= v.estimate_high[:, 1:])
    for arm, effect in enumerate(EFFECTS):
        yield Check(
            promise="interval after looks covers",
            cell=f"margin {margin}, effect {effect} SD",
            seen=float(covered[:, arm].mean()),
            bound=covers(studies),
            at_least=True,
        )
    if margin == 1.2:
        seen = (v.low[:, 1:] <= effects) & (effects <= v.high[:, 1:])
        worst = int(seen.mean(axis=0).argmin())
        yield Check(
            promise="control: pointwise interval after looks",
            cell=f"margin {margin}, effect {EFFECTS[worst]} SD",
            seen=float(seen.mean(axis=0).min()),
            bound=covers(studies),
            at_least=True,
            control=True,
        )


def price(studies: int) -> dict[str, float]:
    """Returns the decided share and mean seeds at the mixed truth, before and after."""
    draw = np.random.default_rng([SEED, 3])
    sd = np.sqrt(2)
    values = draw.normal(size=(studies, len(MIXED) + 1, LOOKS[-1]))
    values[:, 1:] += sd * np.array(MIXED)[:, None]
    found = {}
    for n in (5, 10, 20):
        words = verdicts(values[..., :n], margin=sd).verdict[:, 1:]
        found[f"decided at n={n}"] = _decided(words)
    words, seeds = natural_rule(values, sd)
    found["decided at looks, before"] = _decided(words[:, 1:])
    found["seeds at looks, before"] = float(seeds[:, 1:].mean())
    walked = walk_looks(values, looks=LOOKS, spend=SPEND, margin=sd)
    found["decided at looks, after"] = _decided(walked.verdict[:, 1:])
    found["seeds at looks, after"] = float(walked.look[:, 1:].mean())
    return found


def _decided(words: NDArray[np.str_]) -> float:
    return float(np.mean(words != Verdict.INCONCLUSIVE))
