"""The command that writes a study file to start from."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ablation.cli.output import show_line
from ablation.errors import Refused

SUBJECT = '''"""{name}: what is asked, and what is fixed before the first run."""

from ablation.spec import Study

study = Study(
    name="{name}",
    question="Does dropout matter?",  # as a sentence; the report answers it
    factor="model.dropout",  # a dotted path into the run configuration: ablation/config.py
    levels=(0.0, 0.1, 0.3, 0.5),  # each is an arm
    baseline=0.3,  # the level that all others are compared with
    metric="accuracy",  # or macro_f1, loss; measured on test
    margin=0.02,  # the smallest effect that you would act on, in units of the metric
    seeds=8,  # runs per arm; or looks=(5, 8, 12): only undecided arms get more
    caveats=(),  # sentences that the report prints
)
'''

FUNCTION = '''"""{name}: what is asked, and what is fixed before the first run."""

from ablation.spec import Metric, Study
{imports}

study = Study(
    name="{name}",
    question="Does {field} matter?",  # as a sentence; the report answers it
    run={function},  # called as {function}(config, seed) in a process of its own
    config={config},  # what every arm starts from: a frozen dataclass, or a mapping
    factor="{field}",  # a dotted path into it
    levels={levels},  # each is an arm
    baseline={baseline!r},  # the level that all others are compared with
    # The key in what the function returns. Give lower_is_better=True for a loss, and chance=...,
    # the value of guessing, so that a failed run counts as that.
    metric=Metric("test/accuracy"),
    margin=0.01,  # the smallest effect that you would act on, in units of the metric
    seeds=5,  # runs per arm; or looks=(5, 8, 12): only undecided arms get more
    inputs=(),  # files and folders that the function reads: a change trains anew
)
'''


def new(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    *,
    function: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="A function of your own, to be ablated."),
    ] = None,
) -> None:
    """Writes a commented study file, studies/NAME.py, to start from."""
    from ablation.study.load import STUDIES

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise Refused(f"A study's name matches [a-z][a-z0-9_]*; got {name!r}.", "Rename it.")
    path = STUDIES / f"{name}.py"
    text = SUBJECT.format(name=name) if function is None else _of_function(name, function)
    STUDIES.mkdir(exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refused(f"{path} exists already.", "Give another name, or edit the file.") from error
    show_line(f"Wrote {path}. Edit it, then: ablation plan {name}; ablation run {name}")


def _of_function(name: str, asked: str) -> str:
    """Returns the study file of a function.

    Raises:
        Refused: If the function cannot be imported, or could not be a study's.
    """
    from ablation.task.function.target import target_of

    module, _, function = asked.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        home = importlib.import_module(module)
        found = getattr(home, function)
    except (Exception, SystemExit) as error:  # user-defined code may raise anything
        raise Refused(
            f"{asked} cannot be imported from {Path.cwd()}: {type(error).__name__}: {error}",
            "Give --function MODULE:NAME, as an import in this folder would name it.",
        ) from error
    target_of(found, None)
    config, mapping = _instance(getattr(home, "Config", None)), getattr(home, "CONFIG", None)
    if config is not None:
        start = {each.name: getattr(config, each.name) for each in dataclasses.fields(config)}
        imports, written = f"from {module} import Config, {function}", "Config()"
    elif isinstance(mapping, Mapping) and mapping:
        start = dict(mapping)
        imports, written = f"from {module} import CONFIG, {function}", "CONFIG"
    else:
        start = {"learning_rate": 0.1}
        imports, written = f"from {module} import {function}", repr(start)
    field, levels = _factor(start)
    return FUNCTION.format(
        name=name, imports=imports, function=function, config=written, field=field, levels=levels,
        baseline=start[field],
    )  # fmt: skip


def _instance(kind: Any) -> Any:
    """Returns an instance of a dataclass whose fields all have defaults; else None."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return None
    try:
        config = kind()
    except TypeError:
        return None
    return config if dataclasses.fields(kind) else None


def _factor(start: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """Returns a first factor, and levels around its value: a number's half and double.

    >>> _factor({"name": "a", "width": 64})
    ('width', (32, 64, 128))
    """
    for name, value in start.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value:
            continue
        half = value // 2 if isinstance(value, int) else value / 2
        return name, tuple(dict.fromkeys((half, value, 2 * value)))
    name, value = next(iter(start.items()))
    return name, (value, not value) if isinstance(value, bool) else (value, 1, 2)
