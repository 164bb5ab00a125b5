"""A mirror that cannot be written stops no study, and is restored when it can be written again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_study_end_to_end import Project, project, stored  # noqa: F401 - the fixtures

from ablation.mirror import Mirror

FAULT = "CREATE TRIGGER fault BEFORE {} BEGIN SELECT RAISE(ABORT, 'a fault'); END"


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "optuna.db")) as connection, connection:
        connection.execute(sql)


@pytest.mark.slow
@pytest.mark.parametrize("write", ["INSERT ON studies", "UPDATE ON trials"])
def test_a_mirror_that_cannot_be_written_stops_nothing_and_is_mended(
    stored: Project,  # noqa: F811 - the fixture
    tiny_study: Path,
    write: str,
) -> None:
    change(stored.folder, FAULT.format(write))
    assert "mirror could not be written" in stored.run("run", str(tiny_study))
    assert stored.statuses() == {"study FINISHED": 1, "trial FINISHED": 6}
    change(stored.folder, "DROP TRIGGER fault")
    assert "could not be" not in stored.run("run", str(tiny_study))
    assert stored.statuses() == {"study FINISHED": 1, "trial FINISHED": 6}
    assert "0 missing" in stored.run("plan", str(tiny_study))


def fail(_: Mirror) -> None:
    raise OSError("a fault")


def delete(mirror: Mirror) -> None:
    """Deletes the Optuna study, as somebody may in the dashboard."""
    mirror._storage.delete_study(mirror._study)


@pytest.mark.parametrize("fault", [fail, delete])
def test_a_fault_that_has_passed_by_the_end_is_mended_there(
    stored: Project,  # noqa: F811 - the fixture
    tiny_study: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Mirror], None],
) -> None:
    finish, calls = Mirror.finish, []

    def fail_once(self: Mirror, *given: Any) -> None:
        calls.append(given)
        if len(calls) == 2:
            fault(self)
        finish(self, *given)

    monkeypatch.setattr(Mirror, "finish", fail_once)
    assert "could not be" not in stored.run("run", str(tiny_study))
    assert "0 missing" in stored.run("plan", str(tiny_study))
