"""New seeds and new test examples: crossed Gaussian and Bernoulli scores, and two controls."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablation.stats import Verdict, Verdicts, verdicts
from ablation.stats.critical import difference_p
from ablation.stats.paired import error_of
from calibrate.promise import ALPHA, SEED, Check, any_of, error_checks, within

Floats = NDArray[np.float64]
BATCH = 3_000_000
"""Scores held at once."""
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
) -> tuple[NDArray, Floats]:
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


def judge_scores(cell: CrossedCell, scores: NDArray, *, split_only: bool = False) -> Verdicts:
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
    n, size, arms, alpha = 5, 200, 6, 0.005
    found = []
    for place, part in enumerate((0.2, 0.35, 0.5, 0.65, 0.8)):
        draw = np.random.default_rng([SEED, 5, place])
        effect = draw.normal(size=(studies, arms))
        of_seed = part * draw.chisquare(n - 1, effect.shape) / (n - 1)
        fixed = (1 - part) * draw.chisquare(size - 1, effect.shape) / (size - 1)
        spread, runs = np.sqrt(n * of_seed), np.full(effect.shape, n)
        error, critical = error_of(spread, runs, fixed, np.full(effect.shape, size - 1.0))
        cochran = difference_p(effect, error, critical)
        df = (of_seed + fixed) ** 2 / (of_seed**2 / (n - 1) + fixed**2 / (size - 1))
        welch = 2 * special.stdtr(df, -np.abs(effect) / error)
        for name, p, control in (
            ("false difference, first look", cochran, False),
            ("control: Satterthwaite's degrees, first look", welch, part == 0.5),
        ):
            if control or not name.startswith("control"):
                found.append(
                    Check(
                        promise=name,
                        cell=f"n=5, N=200, seeds {part:.0%} of the variance",
                        seen=any_of(p <= alpha / arms),
                        bound=within(alpha, studies),
                        control=control,
                    )
                )
    return found
