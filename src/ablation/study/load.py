"""Finds and loads study files."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from ablation.errors import Refused, nearest
from ablation.records.kinds import shown
from ablation.records.typed import portable, typed
from ablation.study.spec import Study
from ablation.task.function.target import STUDY_PREFIX

STUDIES = Path("studies")
"""Folder in which the command line looks for studies."""


def known_studies(folder: Path) -> list[str]:
    """Returns the sorted names of the study files in a folder; other modules are ignored."""
    return [path.stem for path in sorted(folder.glob("[a-z]*.py")) if _defines_study(path)]


def _defines_study(path: Path) -> bool:
    """Returns whether a file looks like a study's; one that cannot be read does not."""
    try:
        # By bytes, because a file need not be UTF-8, nor valid in the encoding that it declares.
        return path.is_file() and bool(re.search(rb"^study\b", path.read_bytes(), re.MULTILINE))
    except OSError:
        return False


def load(name: str, folder: Path) -> Study:
    """Returns a study, given its name in a folder or the path of its file.

    Raises:
        Refused: If there is no such study, or its file cannot be used.
    """
    path = _path_of(name, folder)
    if not os.path.isfile(path):  # noqa: PTH113 - Path's raises where a name is too long
        known = known_studies(folder)
        raise Refused(
            f"No study {shown(name)} in {folder.name}/.{nearest(name[:100], known)}",
            f"Known studies: {', '.join(known)}."
            if known
            else f"There is no folder {folder} with studies here: run this in the project's "
            "folder, or give the path of a study file.",
        )
    study = getattr(_execute(path), "study", None)
    if not isinstance(study, Study):
        raise Refused(
            f"{path} defines no variable `study` that is an ablation.spec.Study.",
            "Add `study = Study(...)` to it.",
        )
    if study.name != path.stem and not name.endswith(".py"):
        raise Refused(
            f"{path} declares a study named {study.name!r}, and would take over its record.",
            f"Name it {path.stem!r}.",
        )
    command = _command(study.name, path, name, folder)
    if study.run is not None:
        study = dataclasses.replace(study, folder=path.parent)
    return run_by(command, study)


def run_by(command: str, study: Study) -> Study:
    """Returns a study with the arguments that run it; its arms are not derived anew."""
    same = copy.copy(study)
    object.__setattr__(same, "command", command)
    return same


def _command(study: str, path: Path, given: str, folder: Path) -> str:
    """Returns the arguments that run a study: its name, or the path where no name finds it."""
    named = folder / f"{study}.py"
    is_found = named.is_file() and named.samefile(path)
    return typed(study if is_found else portable(given), {})


def _path_of(name: str, folder: Path) -> Path:
    """Returns the file of a study.

    Raises:
        Refused: If the name is neither a file's path nor a word that could be in the folder.
    """
    if "\0" in name or not (name.endswith(".py") or re.fullmatch(r"\w+", name)):
        raise Refused(
            f"{shown(name)} is neither the name of a study nor the path of a file ending in .py.",
            f"Give the name of a file in {folder.name}/, without .py, or a file's path.",
        )
    path = Path(name) if name.endswith(".py") else folder / f"{name}.py"
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path.absolute()


def _execute(path: Path) -> Any:
    """Runs a study file as a module, with its folder and the working folder importable."""
    for place in (str(path.resolve().parent), str(Path.cwd())):
        if place not in sys.path:
            sys.path.append(place)
    loaded = importlib.util.spec_from_file_location(f"{STUDY_PREFIX}{path.stem}", path)
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    sys.modules[loaded.name] = module  # for dataclasses and pickle, as for any other module
    try:
        loaded.loader.exec_module(module)
    except Refused as error:
        raise Refused(f"{path}: {error.rule}", error.way_out) from error
    except (Exception, SystemExit) as error:
        line = _line_in(path, error)
        said = next(iter(str(error).strip().splitlines()), "")
        way_out = f"Fix the study file.{_nearest_field(said)}"
        raise Refused(f"{path}{line} raised {type(error).__name__}: {said}", way_out) from error
    return module


def _nearest_field(said: str) -> str:
    """Returns the field that was perhaps meant, if an error says that a study has no such one."""
    found = re.search(r"Study\.__init__\(\) got an unexpected keyword argument '(\w+)'", said)
    fields = (field.name for field in dataclasses.fields(Study) if field.init)
    return nearest(found[1], fields) if found else ""


def _line_in(path: Path, error: BaseException) -> str:
    """Returns ``", line 7,"`` for the last line of the file in the traceback, else nothing."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    return f", line {lines[-1]}," if lines else ""
