"""Studies of a fixed number of seeds under noise that harms careless statistics."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Status, Verdict, holm, verdicts
from calibrate.promise import ALPHA, SEED, UNION, Check, any_of, within

Floats = NDArray[np.float64]
REPETITIONS = 6000
LEAST_COVERAGE = 0.93
BLOCK = 3.0
"""Spread of the seeds' common part, in units of the noise of one run."""
STEPS = {"ties": 1.0, "heavy ties": 2.0}
"""Quantum of the patterns on a grid, in noise SDs: as accuracy on some 50 examples has, and on
200 where runs hardly differ."""
MIXED = {1: (-0.5,), 2: (0.0, 1.5), 6: (0.0, 0.0, -3.0, 1.5, 1.0, -0.5)}
"""Effects of the mixed truth in SDs of a paired difference, by the number of comparisons."""
DECIDED = {5: 0.22, 10: 0.54, 20: 0.91}
"""Least share of decided arms at the mixed truth of six arms, normal noise, margin 1 SD."""


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
    """What an engine says of simulated studies, each ``[study, arm]`` without the baseline."""

    verdict: NDArray[np.str_]
    differs: NDArray[np.bool_]
    """Whether a difference is claimed, in the direction of the effect seen."""
    effect: Floats
    interval: tuple[Floats, Floats] | None
    """Pointwise 95 % ends; None from an engine that gives no intervals."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What came of a cell; each rate is a share of studies, the last two of arms."""

    cell: Cell
    repetitions: int
    difference: float
    equivalence: float
    union: float
    coverage: float
    decided: float


Engine = Callable[[Studies], Claims]


def shipped_engine(s: Studies) -> Claims:
    """The engine of this project."""
    v = verdicts(s.values, margin=s.margin, quantum=s.quantum, status=s.status, floor=s.floor)
    arms = (slice(None), slice(1, None))
    differs = v.p_difference[arms] <= ALPHA
    return Claims(v.verdict[arms], differs, v.effect[arms], (v.low[arms], v.high[arms]))


def bootstrap_engine(s: Studies) -> Claims:
    """The negative control: the same rule and Holm, on the percentile bootstrap over seeds."""
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


PATTERNS = (
    "normal",
    "t3",
    "skewed",
    "collapses",
    "ties",
    "heavy ties",
    "one loud",
    "half loud",
    "quiet",
)
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
    # Far out, an error of the equivalence tests is as likely as it can be; at 3.5 standard
    # errors, so is one in either family when an arm is at 0.
    margin = sd / np.sqrt(cell.n) * (12 if cell.truth == "edge" else 3.5)
    effects = margin * sides
    effects[0] = 0.0 if cell.truth == "one at 0" else margin
    return effects, margin


def simulate(
    cell: Cell, repetitions: int, draw: np.random.Generator, place: float = 0.0
) -> Studies:
    """Draws studies of a cell: truth + block + noise, on a grid or with failures if asked.

    Args:
        cell: What to draw.
        repetitions: Number of studies.
        draw: Source of the noise.
        place: How far the margin is moved along the grid of the metric, in steps of it.
    """
    effects, margin = truth(cell)
    step = STEPS.get(cell.pattern, 0.0)
    effects, margin = effects * (1 + place * step / margin), margin + place * step
    shape = (repetitions, cell.comparisons + 1, cell.n)
    values = standard_noise(cell.pattern, draw, shape) * spreads(cell.pattern, shape[1])[:, None]
    values += BLOCK * draw.normal(size=(repetitions, 1, cell.n))
    values[:, 1:] += effects[:, None]
    if step:
        return Studies(np.round(values / step) * step, effects, margin, quantum=step)
    if cell.pattern == "failures":
        status = np.where(draw.random(shape) < 0.3, Status.FAILED, Status.FINISHED)
        return Studies(values, effects, margin, status=status.astype(np.int64), floor=-10.0)
    return Studies(values, effects, margin)


def measure(engine: Engine, repetitions: int, numbered: tuple[int, Cell]) -> Rates:
    """Runs an engine on one cell; the cell's number in the grid makes its random stream.

    On a grid as coarse as the noise, the error of the equivalence test swings with the place of
    the margin between two steps (.00 to .07 at 3 seeds), so the places are averaged over.
    """
    number, cell = numbered
    draw = np.random.default_rng([SEED, number])
    places = np.arange(-0.5, 0.5, 0.1) if cell.pattern in STEPS else np.zeros(1)
    size = -(-repetitions // places.size)
    batches = [simulate(cell, size, draw, place) for place in places]
    shares = np.mean([_shares(engine(studies), studies) for studies in batches], axis=0)
    return Rates(cell, size * places.size, *shares.tolist())


def _shares(claims: Claims, studies: Studies) -> tuple[float, float, float, float, float]:
    """Returns the shares of `Rates`, in its order."""
    effects = studies.effects
    better, worse = claims.verdict == Verdict.BETTER, claims.verdict == Verdict.WORSE
    outside = np.abs(effects) >= studies.margin * (1 - 1e-9)  # the edge is outside
    equivalent = (claims.verdict == Verdict.EQUIVALENT) & outside
    said = (better & (effects <= 0)) | (worse & (effects >= 0))
    # In its family a rejection counts even where EQUIVALENT wins over it; the union counts words.
    rejected = claims.differs & (np.sign(claims.effect) != np.sign(effects))
    return (
        any_of(said | rejected),
        any_of(equivalent),
        any_of(said | equivalent),
        _coverage(claims, effects),
        float(np.mean(claims.verdict != Verdict.INCONCLUSIVE)),
    )


def _coverage(claims: Claims, effects: Floats) -> float:
    """Returns the share of intervals over the true effect; a NaN end covers nothing."""
    if claims.interval is None:
        return np.nan
    low, high = claims.interval
    return float(np.mean((low <= effects) & (effects <= high)))


def grid(sizes: Iterable[int] = (3, 5, 8, 10, 20)) -> list[Cell]:
    """Returns every cell; failures are simulated where no arm truly differs."""
    comparisons = tuple(MIXED)
    crossed = itertools.product(PATTERNS, TRUTHS, comparisons, tuple(sizes))
    failing = itertools.product(("failures",), ("equal",), comparisons, tuple(sizes))
    return [Cell(*point) for point in itertools.chain(crossed, failing)]


def run(
    engine: Engine, cells: Sequence[Cell], *, repetitions: int = REPETITIONS, processes: int = 1
) -> list[Rates]:
    """Measures an engine on some cells, in one process or more; the rates do not depend on it."""
    work = partial(measure, engine, repetitions)
    if processes == 1:
        return [work(numbered) for numbered in enumerate(cells)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(work, enumerate(cells), chunksize=4))


def checks(rates: Rates, *, control: str = "") -> list[Check]:
    """Returns the promises of a cell, or that of a control: that one of its families breaks."""
    family, union = within(ALPHA, rates.repetitions), within(UNION, rates.repetitions, slack=0.0)
    cell = "{}, {}, m={}, n={}".format(*_point(rates.cell))
    worst = max(rates.difference, rates.equivalence)
    if control:
        return [Check(promise=control, cell=cell, seen=worst, bound=family, control=True)]
    found = [
        Check(promise="false difference", cell=cell, seen=rates.difference, bound=family),
        Check(promise="false EQUIVALENT", cell=cell, seen=rates.equivalence, bound=family),
        Check(promise="false verdict", cell=cell, seen=rates.union, bound=union),
    ]
    if not np.isnan(rates.coverage):
        found.append(
            Check(
                promise="pointwise interval covers",
                cell=cell,
                seen=rates.coverage,
                bound=LEAST_COVERAGE,
                at_least=True,
            )
        )
    return found


def power_checks(rates: Rates) -> list[Check]:
    """Returns whether as many arms are decided at the mixed truth as is stored."""
    least = DECIDED[rates.cell.n]
    cell = f"mixed truth, n={rates.cell.n}"
    return [
        Check(promise="arms decided", cell=cell, seen=rates.decided, bound=least, at_least=True)
    ]


def _point(cell: Cell) -> tuple[str, str, int, int]:
    return cell.pattern, cell.truth, cell.comparisons, cell.n


POWER_CELLS = [Cell("normal", "mixed", 6, n) for n in DECIDED]
CONTROL_CELLS = [Cell("normal", "equal", 6, n) for n in (3, 5, 8, 10, 20)]


def fixed_checks(cells: Sequence[Cell], start: int) -> list[Check]:
    """Returns the checks of some cells, numbered from `start`, which makes their streams."""
    numbered = enumerate(cells, start)
    return [c for pair in numbered for c in checks(measure(shipped_engine, REPETITIONS, pair))]


def all_power_checks() -> list[Check]:
    """Returns the shares of decided arms at the mixed truth."""
    return [
        c for r in run(shipped_engine, POWER_CELLS, repetitions=20_000) for c in power_checks(r)
    ]


def bootstrap_checks() -> list[Check]:
    """Returns the negative control: the percentile bootstrap over seeds."""
    rates = run(bootstrap_engine, CONTROL_CELLS, repetitions=3000)
    return [c for r in rates for c in checks(r, control="control: percentile bootstrap")]
