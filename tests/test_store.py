"""A store is one folder, whatever it is called: created whole, moved, copied, backed up."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from ablation import mirror, tracking
from ablation.errors import Refused
from ablation.execute import back_up
from ablation.records import addresses
from ablation.records.places import Places, places
from ablation.tracking import files

NAMES = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0/"), min_size=1
)


@settings(deadline=None)
@given(NAMES)
def test_any_folder_has_an_address_that_every_library_reads(name: str) -> None:
    path = Path("/") / name / "mlflow.db"
    address = addresses.of_file(path)
    made = URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)
    assert make_url(address).database == make_url(made).database == str(path)
    assert addresses.file_of(address) == addresses.file_of(made) == path


@pytest.mark.parametrize("name", ["opening", "creating", "progress", "a"])
def test_no_study_has_the_lock_of_the_store(tmp_path: Path, name: str) -> None:
    where = places(tmp_path)
    with where.opening(), where.lock(name).acquire(timeout=0):
        assert where.opening().lock_file != where.lock(name).lock_file


def failing(address: str) -> None:
    path = addresses.file_of(address)
    assert path is not None
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")


def table(address: str) -> None:
    with closing(sqlite3.connect(str(addresses.file_of(address)))) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")


def rows(path: Path) -> list[tuple[object]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT * FROM t").fetchall()


def test_a_creation_that_fails_leaves_nothing_at_the_place(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with pytest.raises(OSError, match="No space"):
        files.create(path, failing)
    assert [each.name for each in tmp_path.iterdir()] == [".ablation"]
    files.create(path, table)
    assert rows(path) == []
    assert [each.name for each in tmp_path.glob("*.db*")] == ["mlflow.db"]
    files.create(path, failing)  # which is not called, since the file is there


def test_a_creation_that_is_killed_leaves_nothing_that_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    script = (
        "import os, sys; from pathlib import Path; from ablation.tracking import files\n"
        "def make(address):\n"
        "    Path(address.removeprefix('sqlite:///')).write_bytes(b'half')\n"
        "    os.kill(os.getpid(), 9)\n"
        "files.create(Path(sys.argv[1]), make)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    assert list((tmp_path / ".ablation").rglob("mlflow.db"))
    files.create(path, table)
    assert rows(path) == []
    assert not list((tmp_path / ".ablation").rglob("*.db"))


def test_an_empty_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    files.create(tmp_path / "mlflow.db", table)
    assert rows(tmp_path / "mlflow.db") == []


def at(folder: Path, empty_store: Path) -> Places:
    shutil.copytree(empty_store, folder, ignore=shutil.ignore_patterns(".ablation"))
    return places(folder)


def new_run(where: Places) -> str:
    """Returns the id of a new run of a study ``s`` with one artifact."""
    client = tracking.connect(where.tracking, record=True)
    home = tracking.open_home(client, "s", "s", data="d", artifacts=where.artifacts)
    run = client.create_run(home.experiment)
    client.log_text(run.info.run_id, "kept", "note.txt")
    return str(run.info.run_id)


def addresses_of(client: MlflowClient, run: str) -> Path:
    return Path(unquote(urlsplit(client.get_run(run).info.artifact_uri).path))


@pytest.mark.parametrize("name", ["p%20q", "what? now", "a#b", "ä b", "x@y:z"])
def test_a_store_is_written_where_it_is_named(
    name: str, tmp_path: Path, empty_store: Path
) -> None:
    where = at(tmp_path / name, empty_store)
    with tracking.settled(where.tracking):
        new_run(where)
    mirror.close(mirror.connect(where.storage))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    found = sorted(each.name for each in (tmp_path / name).iterdir() if each.name[0] != ".")
    assert found == ["mlartifacts", "mlflow.db", "optuna.db"]  # and no log beside them


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_store_goes_on_where_it_was_moved_or_copied_to(
    how: Callable[[Path, Path], object], tmp_path: Path, empty_store: Path
) -> None:
    where = at(tmp_path / "old", empty_store)
    with tracking.settled(where.tracking):
        run = new_run(where)
    how(tmp_path / "old", tmp_path / "new")
    moved = places(tmp_path / "new")
    client = tracking.connect(moved.tracking)
    place = addresses_of(client, run)
    assert place.is_relative_to(tmp_path / "new")
    assert (place / "note.txt").read_text() == "kept"
    later = new_run(moved)
    assert list((tmp_path / "new").rglob(f"{later}/artifacts/note.txt"))
    assert not list((tmp_path / "old").rglob(later))


def test_artifacts_that_stayed_behind_are_still_found(tmp_path: Path, empty_store: Path) -> None:
    where = at(tmp_path / "old", empty_store)
    with tracking.settled(where.tracking):
        run = new_run(where)
    (tmp_path / "new").mkdir()
    (tmp_path / "old/mlflow.db").rename(tmp_path / "new/mlflow.db")
    client = tracking.connect(places(tmp_path / "new").tracking)
    assert Path(client.download_artifacts(run, "note.txt")).read_text() == "kept"


def test_a_backup_of_a_store_in_use_is_a_store(tmp_path: Path, empty_store: Path) -> None:
    where = at(tmp_path / "live", empty_store)
    run = new_run(where)  # its rows are in the log, and the connection is open
    back_up(where, tmp_path / "deep" / "copy")
    shutil.rmtree(tmp_path / "live")
    copied = places(tmp_path / "deep" / "copy")
    client = tracking.connect(copied.tracking)
    assert Path(client.download_artifacts(run, "note.txt")).read_text() == "kept"
    with mirror.reading(copied.storage) as query:
        assert mirror.labels_taken(query) == {}
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["copy"]
    with pytest.raises(Refused, match="exists already"):
        back_up(copied, tmp_path / "deep" / "copy")


@pytest.mark.parametrize("file", ["mlflow.db", "optuna.db"])
def test_a_store_of_another_version_is_refused_with_the_command(
    file: str, tmp_path: Path, empty_store: Path
) -> None:
    where = at(tmp_path / "old", empty_store)
    with closing(sqlite3.connect(tmp_path / "old" / file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.a'")
        connection.execute("DELETE FROM alembic_version" if file == "mlflow.db" else "SELECT 1")
    command = "mlflow db upgrade" if file == "mlflow.db" else "optuna storage upgrade"
    with pytest.raises(Refused, match=command) as refusal:
        tracking.connect(where.tracking) if file == "mlflow.db" else mirror.connect(where.storage)
    assert len(str(refusal.value).splitlines()) == 2


def test_what_a_killed_process_left_in_the_temporary_folder_is_removed_by_the_next(
    tmp_path: Path,
) -> None:
    def run(code: str) -> str:
        start = (
            "import os, tempfile\nfrom ablation.records.temporary import own_temporary as own\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", start + code],
            check=False,
            env=os.environ | {"TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        return ended.stdout

    run("with own(): tempfile.mkdtemp(); os.kill(os.getpid(), 9)")
    assert list(tmp_path.glob("*/*"))
    within, without = run(
        "with own():\n with own(): print(tempfile.gettempdir())\nprint(tempfile.gettempdir())"
    ).splitlines()
    assert Path(within).parent == Path(without) == tmp_path
    assert not list(tmp_path.iterdir())
