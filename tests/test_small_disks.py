"""Full and read-only disks: two lines, nothing half written, and it goes on once there is room."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
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


STUDY = """
from ablation.spec import Metric, Study

def train(config, seed, context):
    return {"score": 0.5 + seed / 100 + config["bias"]}

study = Study(name="filling", question="Q?", run=train, config={"bias": 0.0}, seeds=20,
              metric=Metric("score", examples=None), factor="bias", levels=(0.0, 0.1),
              baseline=0.0, margin=0.02)
"""


def run(folder: Path, *places: str) -> subprocess.CompletedProcess[str]:
    """Runs the study in a process of its own."""
    (folder / "filling.py").write_text(STUDY)
    command = [sys.executable, "-m", "ablation", "run", "filling.py", "--workers", "1", *places]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def check_refused(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 2, ran.stderr
    assert re.search("Free disk space|the disk is full", ran.stderr), ran.stderr


def leave_free(disk: Path, kilobytes: int) -> Path:
    """Fills a disk up to some rest; returns the file that does."""
    free = shutil.disk_usage(disk).free - kilobytes * 1024
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free))
    return ballast


@pytest.mark.parametrize("kilobytes", [20, 300])
def test_a_store_whose_disk_fills_up_stops_cleanly_and_goes_on(
    mount: Mount, tmp_path: Path, empty_store: Path, kilobytes: int
) -> None:
    disk = mount("size=64m")
    for name in ("mlflow.db", "optuna.db"):
        files.backup(empty_store / name, disk / name)
    ballast = leave_free(disk, kilobytes)
    check_refused(run(tmp_path, "--store", str(disk)))
    ballast.unlink()
    ran = run(tmp_path, "--store", str(disk))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    client = tracking.connect(places(disk).tracking)
    ids = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(ids, "tags.`ablation.kind` = 'trial' AND status = 'FINISHED'")
    assert len(runs) == len({each.data.tags["ablation.key"] for each in runs}) == 40
    assert not client.search_runs(ids, "status = 'RUNNING'")


def test_reports_on_a_full_disk_are_written_once_there_is_room(
    mount: Mount, tmp_path: Path
) -> None:
    disk = mount("size=16m")
    ballast = leave_free(disk, 8)
    store = ("--store", str(tmp_path / "store"))
    check_refused(run(tmp_path, *store, "--reports", str(disk / "reports")))
    ballast.unlink()
    ran = run(tmp_path, *store, "--reports", str(disk / "reports"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (disk / "reports/filling/index.html").exists()
