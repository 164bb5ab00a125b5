"""A report folder that comes from elsewhere decides its own content and nothing else."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import ARMS, arms_named, content, declaration, runs

from ablation.errors import Refused
from ablation.report import build, drawing, foreign, index, read
from ablation.report.rebuild import differing, rebuild

SVG = '<svg viewBox="0 0 9 9"></svg>'


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are blank: drawing takes a second, and what is drawn is another file's test."""
    monkeypatch.setattr(drawing, "draw_and_save", lambda name, draw: (SVG, {"png": b"png"}))


@pytest.fixture(scope="module")
def mailed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small report, as its author sent it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(drawing, "draw_and_save", lambda name, draw: (SVG, {"png": b"png"}))
    frame = runs(seeds=3)
    frame = frame[frame["arm"].isin(ARMS[:2])].reset_index(drop=True)
    declared = declaration(arms=arms_named(ARMS[:2]), looks=declaration().looks[:1])
    folder = build(content(frame, declaration=declared), tmp_path_factory.mktemp("mail"))
    patch.undo()
    return folder


@pytest.fixture
def inbox(mailed: Path, tmp_path: Path) -> Path:
    """A copy of the report, beside a folder of the reader's own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    folder = tmp_path / "inbox" / "s"
    shutil.copytree(mailed, folder)
    return folder


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    stored = json.loads((folder / "study.json").read_text())
    change(stored)
    (folder / "study.json").write_text(json.dumps(stored))


def snapshot(place: Path) -> dict[str, bytes | str]:
    """Every entry below a folder: content of files, targets of links."""
    return {
        path.relative_to(place).as_posix(): str(path.readlink()) if path.is_symlink()
        else path.read_bytes() if path.is_file() else "a folder"
        for path in place.rglob("*")
    }  # fmt: skip


def names_outside(place: Path) -> list[str]:
    return [name for name in snapshot(place) if not name.startswith("inbox/s/")]


LABELS = ["{mine}", "../../mine", "..", ".", "", "a/b", "x; rm -rf ~", "-rf", "s\n", ["s"], None]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("label", LABELS)
def test_a_label_names_no_folder(inbox: Path, tmp_path: Path, label: Any, check: bool) -> None:
    given = str(label).format(mine=tmp_path / "mine") if label == "{mine}" else label
    edit(inbox, lambda stored: stored.update(label=given))
    before = snapshot(tmp_path)
    with pytest.raises(Refused, match="holds no report"):
        differing(inbox) if check else rebuild(inbox)
    assert snapshot(tmp_path) == before


def test_names_lead_nowhere_whatever_they_say(inbox: Path, tmp_path: Path) -> None:
    def change(stored: Any) -> None:
        stored["declaration"]["name"] = "../../mine"
        stored["wording"]["title"] = str(tmp_path / "mine")
        stored["../../mine/x"] = {"columns": ["a"], "rows": [[1]]}
        stored["record"] |= {"address": "javascript:alert(1)//", "experiment": "../.."}

    edit(inbox, change)
    before = names_outside(tmp_path)
    rebuild(inbox)
    assert names_outside(tmp_path) == before
    assert "javascript:" not in (inbox / "index.html").read_text()
    assert "javascript:" not in (inbox / "README.md").read_text()


@pytest.mark.parametrize("name", ["study.json", "runs.csv", "curves.csv", "examples.parquet"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge", "missing"])
def test_only_regular_files_of_the_folder_are_read(
    inbox: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = inbox / name
    kept = place.rename(inbox.parent / "elsewhere")
    if kind == "link":
        place.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "huge":
        kept.rename(place)
        monkeypatch.setitem(foreign.LARGEST, name, 10)
    with pytest.raises(Refused, match=name.replace(".", r"\.")):
        rebuild(inbox)


def test_a_link_for_figures_is_neither_read_nor_written(inbox: Path, tmp_path: Path) -> None:
    shutil.rmtree(inbox / "figures")
    (inbox / "figures").symlink_to(tmp_path / "mine")
    assert "figures/thesis.txt" not in differing(inbox)
    rebuild(inbox)
    assert not (inbox / "figures").is_symlink()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["declaration"].update(looks=[[10**12, "0.05"]]),
        lambda s: s["declaration"].update(quantum="1e-300"),
        lambda s: s["declaration"].update(looks=[]),
        lambda s: s["declaration"].update(metric="__class__"),
        lambda s: s["declaration"].update(more=1),
        lambda s: s.update(runs=None),
        lambda s: s["wording"].update(question="\ud800"),
        lambda s: s["record"].update(test_evaluations=[]),
        lambda s: s["declaration"]["arms"].append(s["declaration"]["arms"][0]),
    ],
)
def test_impossible_content_is_refused_and_nothing_is_written(
    inbox: Path, tmp_path: Path, change: Callable[[Any], object]
) -> None:
    edit(inbox, change)
    before = snapshot(tmp_path)
    with pytest.raises(Refused, match="holds no report"):
        rebuild(inbox)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", '{"format": 1e999}', "[]", "\x00"])
def test_json_that_is_no_report_is_refused(inbox: Path, text: str) -> None:
    (inbox / "study.json").write_text(text)
    with pytest.raises(Refused, match=r"study\.json"):
        rebuild(inbox)
    index(inbox.parent)  # which leaves it out


def test_whoever_reads_a_report_is_told_in_two_lines(inbox: Path) -> None:
    edit(inbox, lambda stored: stored["declaration"].update(more=1))
    with pytest.raises(Refused, match="its files do not fit together") as refusal:
        read(inbox)
    assert len(str(refusal.value).splitlines()) == 2


def test_notes_beside_a_report_survive_a_rebuild(inbox: Path) -> None:
    (inbox / "notes.md").write_text("mine")
    (inbox / "data").mkdir()
    (inbox / "data" / "x").write_text("mine")
    rebuild(inbox)
    assert (inbox / "notes.md").read_text() == (inbox / "data" / "x").read_text() == "mine"


def test_a_build_that_fails_leaves_the_old_report(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, draw: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawing, "draw_and_save", fail)
    before = snapshot(tmp_path)
    with pytest.raises(Refused, match=r"cannot be written in .*: No space left"):
        rebuild(inbox)
    with pytest.raises(Refused, match="No space left"):
        build(content(), inbox.parent)
    assert snapshot(tmp_path) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the place of every value inside a JSON value."""
    yield at
    items = dict(enumerate(value)) if isinstance(value, list) else value
    for key, inner in items.items() if isinstance(items, dict) else ():
        yield from paths(inner, (*at, key))


def replaced(stored: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = copy.copy(stored)
    made[path[0]] = replaced(stored[path[0]], path[1:], value)
    return made


FUZZ = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def rebuilds_or_refuses(folder: Path, place: Path) -> None:
    before, outside = snapshot(place), names_outside(place)
    refusal = None
    try:
        rebuild(folder)
    except Refused as error:
        refusal = str(error)
    if refusal is not None:
        assert len(refusal.splitlines()) == 2
        assert len(refusal) < 1000
        assert snapshot(place) == before
    assert names_outside(place) == outside


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_no_study_json_does_harm(inbox: Path, tmp_path: Path, mailed: Path, data: Any) -> None:
    stored = json.loads((mailed / "study.json").read_text())
    path = data.draw(st.sampled_from(list(paths(stored))))
    shutil.copytree(mailed, inbox, dirs_exist_ok=True)
    (inbox / "study.json").write_text(json.dumps(replaced(stored, path, data.draw(JSON))))
    rebuilds_or_refuses(inbox, tmp_path)


@pytest.mark.slow
@FUZZ
@given(data=st.data(), name=st.sampled_from(["runs.csv", "curves.csv", "examples.parquet"]))
def test_no_table_does_harm(
    inbox: Path, tmp_path: Path, mailed: Path, data: Any, name: str
) -> None:
    given = (mailed / name).read_bytes()
    start = data.draw(st.integers(0, len(given)))
    length = data.draw(st.integers(0, 40))
    shutil.copytree(mailed, inbox, dirs_exist_ok=True)
    changed = given[:start] + data.draw(st.binary(max_size=20)) + given[start + length :]
    (inbox / name).write_bytes(changed)
    rebuilds_or_refuses(inbox, tmp_path)
