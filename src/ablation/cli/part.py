"""Selects the trials that ``--only`` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ablation.errors import Refused, nearest
from ablation.study.plan import Plan, Trial


def part_of(plan: Plan, only: Sequence[str]) -> Callable[[Trial], bool]:
    """Returns whether a trial is of the part: of one of its arms, if any, and of its seeds.

    Args:
        plan: The plan.
        only: ``arm=NAME`` and ``seed=NUMBER``, each any number of times.

    Raises:
        Refused: If one of them names no arm or no seed of the plan.
    """
    known = {
        "arm": list(dict.fromkeys(trial.arm.name for trial in plan.trials)),
        "seed": list(dict.fromkeys(str(trial.seed) for trial in plan.trials)),
    }
    chosen: dict[str, set[str]] = {"arm": set(), "seed": set()}
    for each in only:
        what, _, value = each.partition("=")
        if what not in known:
            raise Refused(f"--only takes arm=... or seed=...; got {each!r}.", "Give one of them.")
        if value not in known[what]:
            raise Refused(
                f"No {what} {value!r} in study {plan.study.name!r}.{nearest(value, known[what])}",
                f"Give one of: {', '.join(known[what])}.",
            )
        chosen[what].add(value)
    arms, seeds = chosen["arm"], chosen["seed"]
    # What is not named is wanted as a whole: a search has yet to find its arms.
    return lambda trial: (
        (not arms or trial.arm.name in arms) and (not seeds or str(trial.seed) in seeds)
    )
