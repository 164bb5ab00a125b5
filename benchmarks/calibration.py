"""Calibrates the verdict engine: measures its error rates on simulated studies of known truth.

Simulates studies as block + noise + true effect, under noise that breaks careless statistics,
and runs the shipped engine on each. Exits with 1 unless every promise holds: false claims in at
most .05 of studies in either family, false verdicts in at most .08, intervals that cover, and
power at a stored truth. As a negative control, the percentile bootstrap over seeds must fail.

    python benchmarks/calibration.py
"""

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Status, Verdict, holm, verdicts, walk_looks

Floats = NDArray[np.float64]
SEED = 1979
REPETITIONS = 6000
ALPHA, UNION = 0.05, 0.08
MONTE_CARLO, SLACK = 3.3, 0.002
LEAST_COVERAGE = 0.93
BLOCK = 3.0
"""Spread of the seeds' common part, in units of the noise of one run."""
STEP = 1.0
"""Quantum of the patterns on a grid: one noise SD, as for accuracy on about 50 examples."""
MIXED = {1: (-0.5,), 2: (0.0, 1.5), 6: (0.0, 0.0, -3.0, 1.5, 1.0, -0.5)}
"""Effects of the mixed truth in SDs of a paired difference, by the number of comparisons."""
DECIDED = {5: 0.22, 10: 0.54, 20: 0.91}
"""Seeds to the least share of decided arms: mixed truth, six arms, normal noise, margin 1 SD."""
LOOKS, SPEND = (5, 8, 12, 20), (0.005, 0.010, 0.015, 0.020)


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid."""

    pattern: str
    truth: str
    comparisons: int
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Studies:
    """Simulated studies of one cell."""

    values: Floats
    """``[study, arm, seed]``, the baseline first."""
    effects: Floats
    """True effects ``[arm]``, without the baseline."""
    margin: float
    quantum: float = 0.0
    status: NDArray[np.int64] | None = None
    floor: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """The claims of an engine on simulated studies; arrays ``[study, arm]`` without baseline."""

    verdict: NDArray[np.str_]
    differs: NDArray[np.bool_]
    """Whether a difference is claimed, in the direction of the measured effect."""
    effect: Floats
    interval: tuple[Floats, Floats] | None
    """Ends of the pointwise 95 % intervals; None if the engine has no intervals."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a cell: shares of studies; coverage and decided are shares of arms."""

    cell: Cell
    repetitions: int
    difference: float
    equivalence: float
    union: float
    coverage: float
    decided: float


Engine = Callable[[Studies], Claims]


def shipped_engine(s: Studies) -> Claims:
    """Runs the engine of this project."""
    v = verdicts(s.values, margin=s.margin, quantum=s.quantum, status=s.status, floor=s.floor)
    arms = (slice(None), slice(1, None))
    differs = v.p_difference[arms] <= ALPHA
    return Claims(v.verdict[arms], differs, v.effect[arms], (v.low[arms], v.high[arms]))


def bootstrap_engine(s: Studies) -> Claims:
    """Runs the negative control: the same rule and Holm on the percentile bootstrap over seeds."""
    differences = s.values[:, 1:] - s.values[:, :1]
    n = differences.shape[-1]
    weights = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=1000) / n
    means = differences @ weights.T
    low, high = np.quantile(means, (0.025, 0.975), axis=-1)
    above, below = (means >= 0).mean(axis=-1), (means <= 0).mean(axis=-1)
    differs = holm(np.minimum(2 * np.minimum(above, below), 1.0)) <= ALPHA
    beyond = np.maximum((means >= s.margin).mean(axis=-1), (means <= -s.margin).mean(axis=-1))
    effect = differences.mean(axis=-1)
    words = np.select(
        [holm(beyond) <= ALPHA, differs & (effect > 0), differs & (effect < 0)],
        [Verdict.EQUIVALENT.value, Verdict.BETTER.value, Verdict.WORSE.value],
        default=Verdict.INCONCLUSIVE.value,
    )
    return Claims(words, differs, effect, (low, high))


def looks_engine(s: Studies) -> Claims:
    """Runs the shipped engine with looks, adding seeds until an arm is decided; no intervals."""
    walked = walk_looks(s.values, looks=LOOKS, spend=SPEND, margin=s.margin, quantum=s.quantum)
    words = walked.verdict[:, 1:]
    nothing = np.zeros(words.shape)
    return Claims(words, nothing > 0, nothing, None)


def standard_noise(pattern: str, draw: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draws noise of mean 0 and variance 1."""
    if pattern == "t3":
        return np.asarray(draw.standard_t(3, shape) / np.sqrt(3))
    if pattern == "skewed":
        return draw.standard_exponential(shape) - 1
    noise = draw.normal(size=shape)
    if pattern == "collapses":  # a tenth falls by five, and nothing flags it
        fallen = draw.random(shape) < 0.1
        noise = (noise - 5 * fallen + 0.5) / np.sqrt(1 + 25 * 0.09)
    return noise


PATTERNS = ("normal", "t3", "skewed", "collapses", "ties", "one loud", "half loud", "quiet")
TRUTHS = ("equal", "edge", "one at 0", "mixed")


def spreads(pattern: str, arms: int) -> Floats:
    """Returns the noise SD of each arm's runs, the baseline's first."""
    scale = np.ones(arms)
    if pattern == "one loud":
        scale[-1] = 4
    if pattern == "half loud":
        scale[1 : 1 + arms // 2] = 3
    if pattern == "quiet":
        scale[: 1 + arms // 2] = 0.1
    return scale


def truth(cell: Cell) -> tuple[Floats, float]:
    """Returns the true effects ``[arm]``, without the baseline, and the margin."""
    sd = np.sqrt(2)
    sides = np.where(np.arange(cell.comparisons) % 2, -1.0, 1.0)
    if cell.truth == "equal":
        return np.zeros(cell.comparisons), sd
    if cell.truth == "mixed":
        return sd * np.array(MIXED[cell.comparisons]), sd
    # A margin of 12 standard errors maximises the error rate of the equivalence tests; 3.5
    # maximise that of an error in either family if an arm is at 0.
    margin = sd / np.sqrt(cell.n) * (12 if cell.truth == "edge" else 3.5)
    effects = margin * sides
    effects[0] = 0.0 if cell.truth == "one at 0" else margin
    return effects, margin


def simulate(
    cell: Cell, repetitions: int, draw: np.random.Generator, place: float = 0.0
) -> Studies:
    """Returns simulated studies of a cell: truth + block + noise, perhaps rounded or failing.

    Args:
        cell: The cell.
        repetitions: Number of studies.
        draw: Source of the noise.
        place: Shift of the margin along the grid of the metric, in steps of the grid.
    """
    effects, margin = truth(cell)
    effects, margin = effects * (1 + place * STEP / margin), margin + place * STEP
    shape = (repetitions, cell.comparisons + 1, cell.n)
    values = standard_noise(cell.pattern, draw, shape) * spreads(cell.pattern, shape[1])[:, None]
    values += BLOCK * draw.normal(size=(repetitions, 1, cell.n))
    values[:, 1:] += effects[:, None]
    if cell.pattern == "ties":
        return Studies(np.round(values / STEP) * STEP, effects, margin, quantum=STEP)
    if cell.pattern == "failures":
        status = np.where(draw.random(shape) < 0.3, Status.FAILED, Status.FINISHED)
        return Studies(values, effects, margin, status=status.astype(np.int64), floor=-10.0)
    return Studies(values, effects, margin)


def measure(engine: Engine, repetitions: int, numbered: tuple[int, Cell]) -> Rates:
    """Returns the rates of an engine on one cell; the cell's number seeds its random stream."""
    number, cell = numbered
    draw = np.random.default_rng([SEED, number])
    # On a grid as coarse as the noise, the error of the equivalence test depends on the place of
    # the margin between two steps (.00 to .07 at 3 seeds), so the rates are averaged over places.
    places = np.arange(-0.5, 0.5, 0.1) if cell.pattern == "ties" else np.zeros(1)
    size = -(-repetitions // places.size)
    batches = [simulate(cell, size, draw, place) for place in places]
    shares = np.mean([_shares(engine(studies), studies) for studies in batches], axis=0)
    return Rates(cell, size * places.size, *shares.tolist())


def _shares(claims: Claims, studies: Studies) -> tuple[float, float, float, float, float]:
    """Returns the shares in the order of the fields of `Rates`."""
    effects = studies.effects
    better, worse = claims.verdict == Verdict.BETTER, claims.verdict == Verdict.WORSE
    outside = np.abs(effects) >= studies.margin * (1 - 1e-9)  # the edge is outside
    equivalent = (claims.verdict == Verdict.EQUIVALENT) & outside
    said = (better & (effects <= 0)) | (worse & (effects >= 0))
    # A family counts a rejection even if the verdict is EQUIVALENT; the union counts verdicts.
    rejected = claims.differs & (np.sign(claims.effect) != np.sign(effects))
    return (
        _any(said | rejected),
        _any(equivalent),
        _any(said | equivalent),
        _coverage(claims, effects),
        float(np.mean(claims.verdict != Verdict.INCONCLUSIVE)),
    )


def _any(false_claims: NDArray[np.bool_]) -> float:
    """Returns the share of studies with any false claim, given claims ``[study, arm]``."""
    return float(false_claims.any(axis=-1).mean())


def _coverage(claims: Claims, effects: Floats) -> float:
    """Returns the share of intervals that cover the true effect; one with NaN never does."""
    if claims.interval is None:
        return np.nan
    low, high = claims.interval
    return float(np.mean((low <= effects) & (effects <= high)))


def grid(sizes: Iterable[int] = (3, 5, 8, 10, 20)) -> list[Cell]:
    """Returns every cell of the grid; failures are simulated only if no arm truly differs."""
    comparisons = tuple(MIXED)
    crossed = itertools.product(PATTERNS, TRUTHS, comparisons, tuple(sizes))
    failing = itertools.product(("failures",), ("equal",), comparisons, tuple(sizes))
    return [Cell(*point) for point in itertools.chain(crossed, failing)]


def run(
    engine: Engine, cells: Sequence[Cell], *, repetitions: int = REPETITIONS, processes: int = 1
) -> list[Rates]:
    """Returns the rates of an engine on some cells; the number of processes does not matter."""
    work = partial(measure, engine, repetitions)
    if processes == 1:
        return [work(numbered) for numbered in enumerate(cells)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(work, enumerate(cells), chunksize=4))


def violations(rates: Rates) -> list[str]:
    """Returns the promises that a cell breaks, one sentence each."""
    family, union = _bound(ALPHA, rates) + SLACK, _bound(UNION, rates)
    checks = (
        ("any false BETTER or WORSE", rates.difference, rates.difference <= family, family),
        ("any false EQUIVALENT", rates.equivalence, rates.equivalence <= family, family),
        ("any false verdict", rates.union, rates.union <= union, union),
        ("coverage", rates.coverage, not rates.coverage < LEAST_COVERAGE, LEAST_COVERAGE),
    )
    return [
        f"{rates.cell}: {name} {seen:.4f}, bound {bound:.4f}"
        for name, seen, holds, bound in checks
        if not holds
    ]


def _bound(rate: float, rates: Rates) -> float:
    return float(rate + MONTE_CARLO * np.sqrt(rate * (1 - rate) / rates.repetitions))


def power_violations(power: Iterable[Rates]) -> list[str]:
    """Returns the cells of the mixed truth in which too few arms are decided."""
    return [
        f"{r.cell}: decided {r.decided:.3f}, at least {DECIDED[r.cell.n]}"
        for r in power
        if r.decided < DECIDED[r.cell.n]
    ]


def blind_spots(control: Iterable[Rates]) -> list[str]:
    """Returns the cells in which the negative control passes."""
    return [f"{r.cell}: the percentile bootstrap passes" for r in control if not violations(r)]


POWER_CELLS = [Cell("normal", "mixed", 6, n) for n in DECIDED]
CONTROL_CELLS = [Cell("normal", "equal", 6, n) for n in (3, 5, 8, 10, 20)]
LOOK_CELLS = [Cell(p, t, 6, LOOKS[-1]) for p in ("normal", "ties", "t3") for t in TRUTHS[:3]]
_HEADER = (
    f"{'':24} {'difference':>11} {'equivalence':>12} {'union':>7} {'coverage':>9} {'decided':>8}"
)


def table(title: str, groups: Iterable[tuple[str, Sequence[Rates]]]) -> str:
    """Returns one line per group: its worst rates, and its mean share of decided arms."""
    lines = [title, _HEADER]
    for name, group in groups:
        lines.append(
            f"{name:24} {max(r.difference for r in group):11.3f} "
            f"{max(r.equivalence for r in group):12.3f} {max(r.union for r in group):7.3f} "
            f"{min(r.coverage for r in group):9.3f} "
            f"{sum(r.decided for r in group) / len(group):8.3f}"
        )
    return "\n".join(lines) + "\n"


def _by_pattern_and_truth(rates: Sequence[Rates]) -> Iterable[tuple[str, Sequence[Rates]]]:
    for (pattern, true), group in itertools.groupby(
        rates, key=lambda r: (r.cell.pattern, r.cell.truth)
    ):
        yield f"{pattern}, {true}", list(group)


def _one_by_one(rates: Sequence[Rates]) -> Iterable[tuple[str, Sequence[Rates]]]:
    return ((f"{r.cell.pattern}, {r.cell.truth}, n={r.cell.n}", [r]) for r in rates)


def main() -> int:
    """Runs everything, prints the tables, and returns 0 only if every promise holds."""
    started = time.monotonic()
    rates = run(shipped_engine, grid(), processes=2)
    power = run(shipped_engine, POWER_CELLS, repetitions=20_000)
    looks = run(looks_engine, LOOK_CELLS)
    control = run(bootstrap_engine, CONTROL_CELLS, repetitions=3000)
    broken = [line for r in (*rates, *looks) for line in violations(r)]
    broken += power_violations(power) + blind_spots(control)
    cells = f"worst of each row, {len(rates)} cells of {REPETITIONS} studies"
    sys.stdout.write(
        table(f"Shipped engine: {cells}", _by_pattern_and_truth(rates))
        + table("\nPower, 6 arms, margin 1 SD of a difference", _one_by_one(power))
        + table(f"\nLooks {LOOKS}, alpha {SPEND}", _one_by_one(looks))
        + table("\nPercentile bootstrap in its place (must fail)", _one_by_one(control))
        + f"\n{time.monotonic() - started:.0f} s\n"
        + ("".join(f"BROKEN {line}\n" for line in broken) or "All promises hold.\n")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
