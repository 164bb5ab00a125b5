"""Says whether a recorded run comes out the same when it is trained again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.output import escaped, show

if TYPE_CHECKING:
    from ablation.execute.rerun import Comparison
    from ablation.records.outcome import Outcome
    from ablation.study.plan import Plan


def train_again(plan: Plan, outcome: Outcome) -> bool:
    """Trains a run again in a worker, prints the comparison, and returns whether all is equal.

    Args:
        plan: The plan of the run's study.
        outcome: The run.
    """
    from ablation.execute import ProcessCrew
    from ablation.execute.crew import prepare_pool
    from ablation.execute.rerun import rerun

    prepare_pool(*plan.study.task.preload)
    with ProcessCrew(1) as crew, tempfile.TemporaryDirectory() as folder:
        compared = rerun(plan, outcome, crew, Path(folder) / "progress" / "rerun")
    where = f"Arm {outcome.tags['ablation.arm']!r} with seed {outcome.tags['ablation.seed']}"
    for line in lines_of(where, compared):
        show(escaped(line))
    return not compared.results


def lines_of(where: str, compared: Comparison) -> list[str]:
    """Returns the comparison as lines of text.

    Args:
        where: Arm and seed.
        compared: The comparison.
    """
    around = [f"  {n}: then {a}, now {b}" for n, (a, b) in compared.surroundings.items()]
    if not compared.results:
        said = f"{where} comes out the same: {compared.compared} results are equal, bit for bit."
        return [said] + (["Although these differ:", *around] if around else [])
    results = [f"  {n}: then {a}, now {b}" for n, (a, b) in compared.results.items()]
    reasons = ["These differ from then:", *around] if around else [
        "Commit, versions, processor and threads are as they were: the training is not repeatable."
    ]  # fmt: skip
    return [f"{where} comes out differently:", *results, *reasons]
