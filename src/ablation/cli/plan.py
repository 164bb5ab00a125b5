"""The commands that train nothing and write nothing: ``list``, ``plan`` and ``status``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablation.cli import asjson
from ablation.cli.asjson import Json, show_json
from ablation.cli.options import Data, Label, Name, Seeds, Store, Text, Workers
from ablation.cli.output import escaped, show, show_data, show_line
from ablation.cli.sync import of_trials
from ablation.errors import Refused

if TYPE_CHECKING:
    from ablation.study.plan import Plan
    from ablation.study.spec import Study


def list_studies() -> None:
    """Lists the studies with their questions."""
    from rich.table import Table

    from ablation.study.load import STUDIES, known_studies, load

    table = Table("study", "arms", "baseline", "question", box=None)
    broken, known = [], known_studies(STUDIES)
    for name in known:
        try:
            study = load(name, STUDIES)
        except Refused as error:
            broken.append(error.rule)
            continue
        arms = study.complete_arms
        table.add_row(*map(escaped, (name, len(arms), study.baseline_name, study.question)))
    show(table)
    for rule in broken:
        show_line(f"Not usable: {rule}")
    if known:
        one = "init_std" if "init_std" in known else known[0]
        show_line(f"Run one: ablation run {one}; in a clone of the project: make study NAME={one}")
    else:
        show_line(f"There are no studies in {STUDIES}/. Write one: ablation new NAME")


def plan(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None, workers: Workers = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Prints a study's arms, the finished and missing trials, and an estimate of the time."""
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import plans_of
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    other = Redirection(data=data, text=text, label=label)
    plans = plans_of(load(name, STUDIES), other, seeds)
    if as_json:
        from ablation.cli.asked import look_up

        show_json({"plans": [asjson.plan_of(given, look_up(given, store)) for given in plans]})
        return
    for before in plans:
        given, said = with_searches(before, store)
        for line in said:
            show_line(line)
        _show_plan(given, store, workers)


def _show_plan(given: Plan, store: Path | None, workers: int | None) -> None:
    """Prints one data set's arms, trials and estimate of the time."""
    from rich.table import Table

    from ablation.cli.asked import cores, estimate, look_up

    study, seen = given.study, look_up(given, store)
    table = Table("arm", "config", "seeds", "done", "missing", box=None)
    left, (planned, missing) = seen.missing, seen.counts()
    for arm, config in dict.fromkeys((t.arm.name, t.config_hash) for t in given.trials):
        done = planned[arm] - missing[arm]
        table.add_row(*map(escaped, (arm, config, planned[arm], done, missing[arm])))
    show_line(f"{seen.label}: {study.question}")
    show(table)
    _show_fields(study)
    show_data(given)
    show(f"{len(seen.planned)} trials are planned; {len(left)} missing. {_budget(given.study)}")
    if seen.note:
        show(seen.note)
    # After the tables, because loading takes a second.
    from ablation.analysis.power import checks_of, factor_rows, planning

    examples = given.data.rows.get("test") if given.declaration.can_generalise else None
    known = seen.values(study.baseline_name)
    show(planning(given.study, known, examples, seen.deviation))
    for row in factor_rows(given.study, given.declaration, known):
        show_line(row)
    for found in checks_of(given, known):
        show_line(f"Check {found}")
    if left:
        show(estimate(given, seen, left, workers or cores()))


def _show_fields(study: Study) -> None:
    """Prints the fields of the configuration that all arms start from, and what varies them."""
    from rich.table import Table

    fields = study.task.fields(study.config)
    varied = {path for arm in study.complete_arms for path in arm.levels}
    marks = dict.fromkeys(study.tune, "tuned") | dict.fromkeys(study.search, "searched")
    marks |= dict.fromkeys(varied - set(marks), "the factor" if len(varied) == 1 else "a factor")
    marks |= dict.fromkeys(study.task.data_paths, "the data")
    table = Table("field", "value", "", box=None)
    for path, value in fields.items():
        table.add_row(*map(escaped, (path, value, marks.get(path, ""))))
    if fields:
        show(table)


def status(
    name: Name, *, data: Data = None, text: Text = None, label: Label = None, seeds: Seeds = None,
    store: Store = None,
    watch: Annotated[bool, typer.Option(help="Update it until all trials are done.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Prints a study's results as a matrix of arms and seeds."""
    from rich.console import Console

    from ablation.cli import matrix
    from ablation.cli.asked import cores, look_up
    from ablation.cli.searched import with_searches
    from ablation.cli.sets import plans_of
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    other = Redirection(data=data, text=text, label=label)
    plans = [with_searches(each, store)[0] for each in plans_of(load(name, STUDIES), other, seeds)]
    if as_json:
        show_json({"studies": [asjson.status_of(given, look_up(given, store)) for given in plans]})
        return
    for given in plans:
        look = partial(look_up, given, store)
        if watch:
            if not matrix.watch(given, look, Console(), workers=cores()):
                return
            continue
        seen = look()
        show_line(f"{seen.heading}, by seed and arm")
        show(matrix.matrix(seen, times=False))
        done = len(seen.planned) - len(seen.missing)
        show(f"{done} of {len(seen.planned)} planned trials are done. {seen.note}")
        if seen.unsent:
            show(f"{of_trials(seen.unsent)} acknowledged and not recorded yet: ablation sync")


def _budget(study: Study) -> str:
    """Returns a sentence about the looks, or a warning if the seeds are few."""
    if len(study.schedule) > 1:
        looks = ", ".join(str(look.seeds) for look in study.schedule)
        return f"Looks at {looks} seeds: only undecided arms get more."
    return screening(study)


def screening(study: Study) -> str:
    """Returns a warning if the seeds are too few for verdicts, else an empty string."""
    least = 5
    if study.most_seeds >= least:
        return ""
    seeds = "1 seed is" if study.most_seeds == 1 else f"{study.most_seeds} seeds are"
    return f"{seeds} only a screening: use {least} or more for verdicts."
