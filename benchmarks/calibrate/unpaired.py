"""Arms without common seeds: unequal numbers of them, unequal spreads, Satterthwaite's degrees."""

import numpy as np
from scipy import special

from ablation.stats import Status, Verdict, holm, walk_unpaired
from calibrate.promise import ALPHA, SEED, Check, any_of, error_checks, within

ARMS = 6


def unpaired_checks(studies: int) -> list[Check]:
    """Returns the error rates of the shipped engine, and the control at 10 against 3 seeds."""
    found = []
    sizes = ((3, 3), (5, 5), (10, 10), (20, 20), (10, 3), (3, 10), (20, 5))
    cells = [(one, two, s, t) for one, two in sizes for s in (1.0, 4.0, 0.25) for t in (0, 1)]
    for place, (its, mine, scale, edge) in enumerate(cells):
        draw = np.random.default_rng([SEED, 10, place])
        values = draw.normal(size=(studies, ARMS + 1, max(its, mine)))
        values[:, 0] *= scale
        margin = 3.5 * np.sqrt(scale**2 / its + 1 / mine)
        effects = edge * margin * np.where(np.arange(ARMS) % 2, -1.0, 1.0)
        values[:, 1:] += effects[:, None]
        counts = np.array([its, *[mine] * ARMS])[:, None]
        late = np.arange(values.shape[-1]) >= counts
        status = np.broadcast_to(np.where(late, Status.MISSING, 0), values.shape)
        v = walk_unpaired(values, status=status, margin=margin, alpha=ALPHA).verdicts
        words, effect = v.verdict[:, 1:], v.effect[:, 1:]
        said = (words == Verdict.BETTER) & (effects <= 0)
        said |= (words == Verdict.WORSE) & (effects >= 0)
        rejected = (v.p_difference[:, 1:] <= ALPHA) & (np.sign(effect) != np.sign(effects))
        equal = (words == Verdict.EQUIVALENT) & (np.abs(effects) >= margin * (1 - 1e-9))
        cell = f"unpaired, {mine} against {its} seeds, baseline SD {scale}, {'edge' * edge}"
        found += error_checks(cell, studies, said | rejected, equal, said | equal)
        if (its, mine, scale, edge) == (10, 3, 0.25, 0):
            found.append(_satterthwaite(values[:, :, :10], its, mine, studies))
    return found


def _satterthwaite(values: np.ndarray, its: int, mine: int, studies: int) -> Check:
    """Returns the control: the usual degrees of freedom, few seeds on the loud side."""
    two = np.var(values[:, :1, :its], axis=-1, ddof=1) / its
    one = np.var(values[:, 1:, :mine], axis=-1, ddof=1) / mine
    effect = values[:, 1:, :mine].mean(axis=-1) - values[:, :1, :its].mean(axis=-1)
    df = (one + two) ** 2 / (one**2 / (mine - 1) + two**2 / (its - 1))
    p = holm(2 * special.stdtr(df, -np.abs(effect) / np.sqrt(one + two)))
    return Check(
        promise="control: Satterthwaite's degrees, unpaired",
        cell=f"{mine} against {its} seeds",
        seen=any_of(p <= ALPHA),
        bound=within(ALPHA, studies),
        control=True,
    )
