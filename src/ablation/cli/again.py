"""The command ``rerun``: trains a recorded run again and compares the two."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli.options import Data, Label, Store, Text
from ablation.cli.output import show_line
from ablation.cli.recorded import existing

if TYPE_CHECKING:
    from ablation.execute.rerun import Comparison
    from ablation.records.outcome import Outcome
    from ablation.study.plan import Plan


def rerun(
    run_id: Annotated[str, typer.Argument(help="MLflow's id of a trial's run.")],
    study: Annotated[
        str | None, typer.Argument(help="Its study, if that is no longer in studies/ by its name.")
    ] = None, *, data: Data = None, text: Text = None, label: Label = None, store: Store = None,
) -> None:  # fmt: skip
    """Trains a recorded run again and says whether it comes out the same, bit for bit."""
    from ablation import tracking
    from ablation.cli.asked import plan_of
    from ablation.records.places import places
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    client = tracking.connect(existing(places(store).tracking))
    known = tracking.recorded(client, run_id)
    name = study or known.tags[tracking.LABEL].partition("@")[0]
    given = plan_of(load(name, STUDIES), Redirection(data=data, text=text, label=label))
    if not train_again(given, known):
        raise typer.Exit(1)


def train_again(plan: Plan, outcome: Outcome) -> bool:
    """Trains a run again in a worker, prints the comparison, and returns whether all is equal.

    Args:
        plan: The plan of the run's study.
        outcome: The run.
    """
    from ablation.execute import ProcessCrew
    from ablation.execute.pool import prepare_pool
    from ablation.execute.rerun import rerun

    prepare_pool(*plan.study.task.preload)
    with ProcessCrew(1) as crew, tempfile.TemporaryDirectory() as folder:
        compared = rerun(plan, outcome, crew, Path(folder) / "progress" / "rerun")
    where = f"Arm {outcome.tags['ablation.arm']!r} with seed {outcome.tags['ablation.seed']}"
    for line in lines_of(where, compared):
        show_line(line)
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
        return [said, "Although these differ:", *around] if around else [said]
    results = [f"  {n}: then {a}, now {b}" for n, (a, b) in compared.results.items()]
    same = (
        "Commit, versions, processor and threads are as they were: the training is not repeatable."
    )
    reasons = ["These differ from then:", *around] if around else [same]
    return [f"{where} comes out differently:", *results, *reasons]
