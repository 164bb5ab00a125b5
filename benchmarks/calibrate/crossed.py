"""New seeds and new test examples: crossed Gaussian and Bernoulli scores, and two controls."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Verdict, Verdicts, t_quantile, verdicts
from ablation.stats.paired import error_of
from calibrate.promise import ALPHA, SEED, Check, any_of, error_checks, within

Floats = NDArray[np.float64]
BATCH = 3_000_000
"""Scores held at once."""
FIRST_ALPHA = 0.005
"""Error rate of the first look."""
SEED_NOISE = 0.01
"""Spread of a run's mean over seeds."""


@dataclass(frozen=True, slots=True)
class CrossedCell:
    """One point of the grid."""

    kind: str
    truth: str
    examples: int
    spread: float
    """Standard deviation over examples of the mean difference."""
    n: int

    @property
    def comparisons(self) -> int:
        """Arms besides the baseline: fewer where there are many examples, to save time."""
        return 6 if self.examples <= 200 else 2

    @property
    def margin(self) -> float:
        """3.5 standard errors of an effect, where an error in either family is likely."""
        runs = 2 * SEED_NOISE**2 + 2 * 0.2 / self.examples
        error = np.sqrt(runs / self.n + self.spread**2 / self.examples)
        return float(min(3.5 * error, 0.2))


def crossed_cells() -> list[CrossedCell]:
    """Returns the whole grid."""
    return [
        CrossedCell(kind, truth, examples, spread, n)
        for kind in ("Gaussian", "Bernoulli")
        for examples in (100, 200, 500, 1509)
        for spread in (0.0, 0.15, 0.3)
        for n in (3, 5, 8, 20)
        for truth in ("equal", "edge")
    ]


def draw_scores(
    cell: CrossedCell, studies: int, draw: np.random.Generator
) -> tuple[NDArray[Any], Floats]:
    """Returns scores ``[study, arm, seed, example]`` and true effects ``[arm]``.

    The examples are a fresh sample in each study, so the effects are those on all examples.
    """
    arms = cell.comparisons + 1
    effects = np.zeros(cell.comparisons)
    if cell.truth == "edge":
        effects = cell.margin * np.where(np.arange(cell.comparisons) % 2, -1.0, 1.0)
    shifts = np.concatenate([[0.0], effects]).astype(np.float32)[:, None, None]
    of_seed = draw.standard_normal((studies, arms, cell.n, 1), dtype=np.float32)
    shape = (studies, arms, 1, cell.examples)
    size = (studies, arms, cell.n, cell.examples)
    share = np.float32(cell.spread / np.sqrt(2))
    if cell.kind == "Gaussian":
        of_example = share * draw.standard_normal(shape, dtype=np.float32)
        scores = draw.standard_normal(size, dtype=np.float32)
        scores *= np.float32(np.sqrt(0.2))
        scores += of_example + shifts + np.float32(SEED_NOISE) * of_seed
        return scores, effects
    # Two-point in the example, bounded in the seed: the mean of a probability is exact.
    of_example = share * (2 * draw.integers(0, 2, shape, dtype=np.int8) - 1)
    chance = 0.5 + shifts + of_example + np.float32(SEED_NOISE) * np.clip(of_seed, -3, 3)
    return draw.random(size, dtype=np.float32) < chance, effects


def judge_scores(cell: CrossedCell, scores: NDArray[Any], *, split_only: bool = False) -> Verdicts:
    """Returns the engine's verdicts, about new examples or about these alone."""
    step = 1 / cell.examples if cell.kind == "Bernoulli" else 0.0
    values = scores.mean(axis=-1, dtype=np.float64)
    given = None if split_only else scores
    return verdicts(values, margin=cell.margin, scores=given, quantum=step)


def _false(
    cell: CrossedCell, studies: int, number: int, *, split_only: bool = False
) -> Iterator[tuple[NDArray[np.bool_], ...]]:
    """Yields false claims ``[study, arm]`` in the order of `error_checks`, batch by batch."""
    draw = np.random.default_rng([SEED, 4, number])
    size = max(BATCH // ((cell.comparisons + 1) * cell.n * cell.examples), 1)
    for start in range(0, studies, size):
        scores, effects = draw_scores(cell, min(size, studies - start), draw)
        v = judge_scores(cell, scores, split_only=split_only)
        words, effect = v.verdict[:, 1:], v.effect[:, 1:]
        said = (words == Verdict.BETTER) & (effects <= 0)
        said |= (words == Verdict.WORSE) & (effects >= 0)
        rejected = (v.p_difference[:, 1:] <= ALPHA) & (np.sign(effect) != np.sign(effects))
        equal = (words == Verdict.EQUIVALENT) & (np.abs(effects) >= cell.margin * (1 - 1e-9))
        yield said | rejected, equal, said | equal


def crossed_checks(cell: CrossedCell, studies: int, number: int) -> list[Check]:
    """Returns the error rates of the shipped engine about new examples."""
    parts = zip(*_false(cell, studies, number), strict=True)
    claims = [np.concatenate(part) for part in parts]
    name = f"{cell.kind}, {cell.truth}, N={cell.examples}, spread {cell.spread}, n={cell.n}"
    return error_checks(name, studies, *claims)


def split_only_checks(studies: int) -> list[Check]:
    """Returns the negative control: a verdict about this split, taken for one about new texts."""
    found = []
    for place, n in enumerate((5, 10, 20)):
        cell = CrossedCell("Gaussian", "equal", 200, 0.3, n)
        parts = _false(cell, studies, 900 + place, split_only=True)
        difference = np.concatenate([part[0] for part in parts])
        found.append(
            Check(
                promise="control: split-only verdicts about new examples",
                cell=f"N=200, spread 0.3, n={n}",
                seen=any_of(difference),
                bound=within(ALPHA, studies),
                control=True,
            )
        )
    return found


def tail_checks(studies: int) -> list[Check]:
    """Returns the first look's rate under Cochran's critical values and Satterthwaite's.

    Mean squares are drawn from their distributions, so that a tail of .005 over six arms is
    seen often enough: 5 seeds, 200 examples, several splits of the variance.
    """
    parts = (0.2, 0.35, 0.5, 0.65, 0.8)
    found = [_tail_rates(part, studies, place) for place, part in enumerate(parts)]
    cells = [f"n=5, N=200, seeds {part:.0%} of the variance" for part in parts]
    bound = within(FIRST_ALPHA, studies)
    worst = int(np.argmax([other for _, other in found]))
    return [
        *(
            Check(promise="false difference, first look", cell=cell, seen=seen, bound=bound)
            for cell, (seen, _) in zip(cells, found, strict=True)
        ),
        Check(
            promise="control: Satterthwaite's degrees, first look",
            cell=cells[worst],
            seen=found[worst][1],
            bound=bound,
            control=True,
        ),
    ]


def _tail_rates(part: float, studies: int, place: int) -> tuple[float, float]:
    """Returns the shares of studies with a false difference, Cochran's and Satterthwaite's."""
    n, size, arms = 5, 200, 6
    draw = np.random.default_rng([SEED, 5, place])
    effect = draw.normal(size=(studies, arms))
    of_seed = part * draw.chisquare(n - 1, effect.shape) / (n - 1)
    fixed = (1 - part) * draw.chisquare(size - 1, effect.shape) / (size - 1)
    spread, runs = np.sqrt(n * of_seed), np.full(effect.shape, n)
    error, critical = error_of(spread, runs, fixed, np.full(effect.shape, size - 1.0))
    tail = FIRST_ALPHA / (2 * arms)
    df = (of_seed + fixed) ** 2 / (of_seed**2 / (n - 1) + fixed**2 / (size - 1))
    t = np.abs(effect) / error
    return any_of(t > critical.quantile(tail)), any_of(t > t_quantile(tail, df))
