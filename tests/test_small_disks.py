"""Full and read-only disks: two lines, nothing half written, and it goes on once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from synthetic import content

from ablation import mirror, tracking
from ablation.errors import Refused
from ablation.records import causes
from ablation.records.places import places
from ablation.report import build, drawing
from ablation.task.text.config import DataConfig
from ablation.task.text.data import prepare
from ablation.tracking import files, tables

pytestmark = pytest.mark.slow

Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small disk with some options; a second call changes it."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(options: str) -> Path:
        made = ["-t", "tmpfs", "-o", options, "tmpfs"]
        how = ["-o", f"remount,{options}"] if place.is_mount() else made
        command = ["mount", *how, str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk takes rights that this user does not have")
        return place

    yield mounted
    if place.is_mount():
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("size", ["200k", "600k", "900k"])
def test_a_store_on_a_full_disk_is_made_once_there_is_room(mount: Mount, size: str) -> None:
    disk = mount(f"size={size}")
    where = places(disk)
    with pytest.raises(Exception, match=r".") as failed:
        tracking.connect(where.tracking, record=True)
    assert "Free disk space" in causes.refusal(failed.value, "The record failed").way_out
    assert not (disk / "mlflow.db").exists()
    mount("size=64m")
    with tracking.settled(where.tracking):
        assert tracking.connect(where.tracking, record=True).search_experiments()
    mirror.close(mirror.connect(where.storage))
    assert sorted(path.name for path in disk.iterdir() if path.name[0] != ".") == [
        "mlflow.db", "optuna.db",
    ]  # fmt: skip


def test_a_store_at_rest_is_read_on_a_read_only_disk(mount: Mount, empty_store: Path) -> None:
    disk = mount("size=64m")
    for name in ("mlflow.db", "optuna.db"):
        files.backup(empty_store / name, disk / name)
    where = places(mount("ro"))
    with mirror.reading(where.storage) as query:  # which a log beside the file would not allow
        assert mirror.labels_taken(query) == {}
    with tables.reading(where.tracking) as query:
        assert tables.parents(query, "s") == []


@pytest.mark.parametrize("options", ["size=64k", "ro"])
def test_reports_on_a_disk_that_takes_none_are_refused(
    mount: Mount, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    svg = '<svg viewBox="0 0 9 9"></svg>'
    monkeypatch.setattr(drawing, "draw_and_save", lambda name, draw: (svg, {"png": b"x" * 9999}))
    disk = mount(options)
    with pytest.raises(Refused, match="The report cannot be written") as refusal:
        build(content(), disk)
    assert len(str(refusal.value).splitlines()) == 2
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("options", ["size=32k", "ro"])
def test_a_cache_on_a_disk_that_takes_none_is_refused(
    mount: Mount, options: str, corpus: Path
) -> None:
    disk = mount(options)
    with pytest.raises(Refused, match="The corpus cannot be cached") as refusal:
        prepare(DataConfig(source=str(corpus)), cache=disk / "cache")
    assert "ABLATION_CACHE" in refusal.value.way_out
    assert list(disk.iterdir()) == []
