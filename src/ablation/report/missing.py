"""Missing runs, as a report's first screen tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ablation.records.prose import joined
from ablation.report.basis import Basis


def missing_runs(basis: Basis) -> Mapping[str, Sequence[int]]:
    """Returns arm to the planned seeds of which no run is recorded; only arms that lack one."""
    runs, planned = basis.content.runs, basis.content.judged.seeds
    there = set(zip(runs["arm"], runs["seed"], strict=True))
    found = {
        arm: [seed for seed in range(seeds) if (arm, seed) not in there]
        for arm, seeds in planned.items()
    }
    return {arm: seeds for arm, seeds in found.items() if seeds}


def missing_warnings(basis: Basis) -> Iterator[str]:
    """Yields which runs are missing and what follows from that; nothing before the first look."""
    content, baseline = basis.content, basis.declaration.baseline
    if not content.judged.is_judged:
        return
    if lacking := missing_runs(basis):
        runs = "; ".join(_missing_of(basis, arm, seeds) for arm, seeds in lacking.items())
        yield (
            f"Runs are missing: {runs}. An arm that lacked one at its look is inconclusive, and "
            "took nothing from the others. Run the study again to complete it."
        )
    for look, absent in content.taken.items():
        if seeds := sorted(seed for arm, seed in absent if arm == baseline):
            counts = "count" if len(seeds) > 1 else "counts"
            yield (
                f"At the look at {look} seeds, {_seeds(seeds)} {counts} for no arm: the baseline "
                "was missing when it was taken, and what it decided is final."
            )


def _missing_of(basis: Basis, arm: str, seeds: Sequence[int]) -> str:
    """Returns an arm with its missing seeds, and what ended them where that is recorded."""
    endings = [said for name, _, said in basis.content.record.get("ended", ()) if name == arm]
    said = f" ({'; '.join(dict.fromkeys(endings))})" if endings else ""
    return f"{arm}, {_seeds(seeds)}{said}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {joined([str(each) for each in seeds])}"
