"""Follow-ups: whether studies of the size that is printed decide as often as is said."""

import numpy as np
from numpy.typing import NDArray

from ablation.stats import Verdict, Verdicts, verdicts
from calibrate.promise import SEED, Check

ARMS, FLOOR = 6, -10.0
LEAST = 0.80 - 0.05
FEWEST = 30
"""Proposed follow-ups from which a share of them is asserted."""


def follow_up_checks(studies: int) -> list[Check]:
    """Returns the share of proposed follow-ups that decide, over effects uniform on +-3 SD."""
    cells = [(n, margin, 0.0) for n in (3, 5, 10) for margin in (1.0, 1.5)]
    cells += [(5, 1.5, 0.12), (10, 1.5, 0.12)]
    found = []
    for place, (n, margin, failing) in enumerate(cells):
        draw = np.random.default_rng([SEED, 9, place])
        many = studies if failing == 0 else studies // 4
        decided, offered, asked = _follow(draw, many, n, margin, failing)
        if decided.size >= FEWEST:
            name = f"n={n}, margin {margin}, failing {failing:.0%}"
            share = f"{offered} of {asked} arms have a number"
            found.append(
                Check(
                    promise="likely follow-ups decide",
                    cell=f"{name}, {share}",
                    seen=float(decided.mean()),
                    bound=LEAST,
                    at_least=True,
                )
            )
    return found


def _follow(
    draw: np.random.Generator, studies: int, n: int, margin: float, failing: float
) -> tuple[NDArray[np.bool_], int, int]:
    """Returns which follow-ups decided, how many were proposed, and how many arms asked."""
    sd = np.sqrt(2)
    effects = np.zeros((studies, ARMS + 1))
    effects[:, 1:] = sd * draw.uniform(-3, 3, size=(studies, ARMS))
    first = _judged(draw, effects, n, margin=margin * sd, failing=failing, alpha=0.05)
    open_ = first.verdict == Verdict.INCONCLUSIVE
    sizes = np.where(open_, first.follow_up().likely, np.nan)
    decided = []
    for size in np.unique(sizes[np.isfinite(sizes)]):
        at = effects[sizes == size]
        pairs = np.stack([np.zeros_like(at), at], axis=-1)
        v = _judged(draw, pairs, int(size), margin=margin * sd, failing=failing, alpha=0.05 / ARMS)
        decided.append(v.verdict[:, 1] != Verdict.INCONCLUSIVE)
    flat = np.concatenate(decided) if decided else np.zeros(0, np.bool_)
    return flat, int(np.isfinite(sizes).sum()), int(open_.sum())


def _judged(
    draw: np.random.Generator,
    effects: NDArray[np.float64],
    n: int,
    *,
    margin: float,
    failing: float,
    alpha: float,
) -> Verdicts:
    """Returns verdicts on fresh seeds of arms with these effects, ``[study, arm]``."""
    values = draw.normal(size=(*effects.shape, n)) + effects[..., None]
    status = (draw.random(values.shape) < failing).astype(np.int64)
    return verdicts(values, margin=margin, status=status, floor=FLOOR, alpha=alpha)
