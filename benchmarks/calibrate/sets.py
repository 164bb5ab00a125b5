"""Several data sets: counts of sets in which an effect holds, and the mean over them."""

import numpy as np
from numpy.typing import NDArray

from ablation.stats import holding_sets, mean_over_sets, partial_conjunction, verdicts, walk_looks
from calibrate.promise import ALPHA, SEED, Check, covers, within

LOOKS, SPEND = (5, 8), (0.02, 0.03)
ARMS = 6
Floats = NDArray[np.float64]


def _draw(studies: int, sets: int, held: int, shift: float, stream: list[int]) -> Floats:
    """Returns values ``[study, set, arm, seed]``, the last arms shifted in `held` of the sets."""
    draw = np.random.default_rng([SEED, *stream])
    values = draw.normal(size=(studies, sets, ARMS + 1, LOOKS[-1]))
    values[:, :held, 1:] += shift
    return values


def count_checks(studies: int) -> list[Check]:
    """Returns how often a count exceeds the truth, with and without looks, and the control."""
    found = []
    for place, (sets, held) in enumerate(((3, 0), (3, 2), (5, 0), (5, 1), (5, 4), (8, 0), (8, 7))):
        values = _draw(studies, sets, held, 60.0, [6, place])
        spent = walk_looks(values, looks=LOOKS, spend=SPEND, margin=1.0).spent()
        above, below = spent.above[..., 1:], spent.below[..., 1:]
        holding = holding_sets(above, below, spent.within[..., 1:], comparisons=ARMS)
        wrong = (holding.above > held) | (holding.below > 0)
        found.append(
            Check(
                promise="sets in which an effect holds",
                cell=f"{held} of {sets} sets, looks",
                seen=float(wrong.any(axis=-1).mean()),
                bound=within(ALPHA, studies),
            )
        )
        if held == 0:
            each = [partial_conjunction(p, ALPHA / ARMS) > 0 for p in (above, below)]
            found.append(
                Check(
                    promise="control: alpha over the arms in both directions",
                    cell=f"{held} of {sets} sets",
                    seen=float((each[0] | each[1]).any(axis=-1).mean()),
                    bound=within(ALPHA, studies),
                    control=sets == 5,
                )
            )
    return [c for c in found if c.control or not c.promise.startswith("control")]


def within_checks(studies: int) -> list[Check]:
    """Returns how often equivalence is said to hold in more sets than it does."""
    found = []
    for place, (sets, held) in enumerate(((3, 0), (5, 0), (5, 4))):
        values = _draw(studies, sets, 0, 0.0, [7, place])
        values[:, held:, 1:] += 8.0  # on the margin's edge, but for the sets in which it holds
        v = verdicts(values, margin=8.0)
        ones = np.ones(v.raw_equivalence[..., 1:].shape)
        holding = holding_sets(ones, ones, v.raw_equivalence[..., 1:], comparisons=ARMS)
        found.append(
            Check(
                promise="sets in which equivalence holds",
                cell=f"{held} of {sets} sets",
                seen=float((holding.within > held).any(axis=-1).mean()),
                bound=within(ALPHA, studies),
            )
        )
    return found


def mean_checks(studies: int) -> list[Check]:
    """Returns the coverage of the mean over sets and of a new set's effect."""
    found = []
    for place, (sets, between) in enumerate(
        (k, t) for k in (5, 8, 12) for t in (0.0, 0.5, 1.0, 3.0)
    ):
        draw = np.random.default_rng([SEED, 8, place])
        of_set = between * draw.normal(size=(studies, sets + 1))
        scale = draw.uniform(0.5, 2.0, size=(studies, sets, 1, 1))
        values = scale * draw.normal(size=(studies, sets, 2, 8))
        values[:, :, 1] += of_set[:, :-1, None]
        v = verdicts(values, margin=None)
        ours = mean_over_sets(v.effect[..., 1], v.standard_error[..., 1])
        covered = {
            "mean over sets covers": (ours.low <= 0) & (ours.high >= 0),
            "a new set's interval covers": (ours.new_low <= of_set[:, -1])
            & (of_set[:, -1] <= ours.new_high),
        }
        found += [
            Check(
                promise=promise,
                cell=f"{sets} sets, SD between them {between}",
                seen=float(seen.mean()),
                bound=covers(studies),
                at_least=True,
            )
            for promise, seen in covered.items()
        ]
        if (sets, between) == (5, 1.0):
            pooled = verdicts(np.concatenate(list(values.swapaxes(0, 1)), axis=-1), margin=None)
            found.append(
                Check(
                    promise="control: pooling the seeds of all sets",
                    cell=f"{sets} sets, SD between them {between}",
                    seen=float((pooled.p_difference[:, 1] <= ALPHA).mean()),
                    bound=within(ALPHA, studies),
                    control=True,
                )
            )
    return found
