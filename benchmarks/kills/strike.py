"""Kills: whom, how, at which moment of a start, and where it fell."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kills.place import TRIAL, Place

PATIENCE = 900.0
"""Seconds that a start may take on a busy machine."""
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
MOMENTS = ("creation", "start-up", "training", "recording", "report")
"""Aims, in the order of a study's life; where a kill falls is seen afterwards."""


@dataclass(frozen=True)
class Strike:
    """One kill of a start."""

    moment: str
    way: str
    """``group``, ``conductor``, ``worker``, ``fork server`` or the name of a signal."""

    @property
    def is_survived(self) -> bool:
        """Returns whether the start is to go on after it."""
        return self.way in {"worker", "fork server"}


def members(session: int) -> list[int]:
    """Returns the processes of a session, oldest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(path.name))
    return sorted(found)


def workers(session: int) -> tuple[list[int], list[int]]:
    """Returns the fork servers and the workers of a session: those that a fork server began."""
    servers, others = [], []
    for pid in members(session):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            if b"forkserver" in words:
                (others if int(parent) in servers else servers).append(pid)
    return servers, others


def strike(process: subprocess.Popen[str], way: str, draw: random.Random) -> bool:
    """Kills a part of a start, or sends it a signal; returns whether there was anything to hit."""
    servers, trained = workers(process.pid)
    aims = {
        "group": members(process.pid), "conductor": [process.pid], "fork server": servers,
        "worker": trained and [draw.choice(trained)],
    }  # fmt: skip
    how = signal.SIGKILL if way in aims else getattr(signal, way)
    hit = aims.get(way, [process.pid])
    for pid in hit:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
    return bool(hit)


def seen_at(place: Place, moment: str, draw: random.Random) -> Callable[[], bool]:
    """Returns what tells that a start has come to a moment."""
    before, wanted = place.finished(), draw.randint(1, 6)
    progress = place.store / ".ablation/progress"
    return {
        "creation": place.store.exists,
        "start-up": lambda: place.is_created,
        "training": lambda: any(progress.rglob("*.jsonl")),
        "recording": lambda: place.finished() >= min(place.trials, before + wanted),
        "report": lambda: place.finished() >= place.trials,
    }[moment]


def wait_for(process: subprocess.Popen[str], seen: Callable[[], bool], seconds: float) -> None:
    """Waits until something is seen, the start ends, or time is over."""
    until = time.monotonic() + seconds
    while process.poll() is None and not seen() and time.monotonic() < until:
        time.sleep(0.01)


def strike_all(
    place: Place, strikes: list[Strike], span: float, draw: random.Random
) -> Iterator[tuple[str, str]]:
    """Starts the study and hits it in several ways; yields where each hit fell, and its way.

    Args:
        place: The campaign's folder.
        strikes: In the order of a study's life; only the last one ends the start.
        span: Seconds that the creation of a store takes.
        draw: Chooses moments and workers.
    """
    process = place.start()
    for each in strikes:
        wait_for(process, seen_at(place, each.moment, draw), PATIENCE)
        if each.moment == "creation":  # at any time in it, but never after it
            one = place.store / "mlflow.db"
            wait_for(process, one.exists, draw.uniform(0, span))
            wait_for(process, lambda: place.is_created, draw.choice((0.0, 0.1)))
        else:  # half of them as close to the moment as this process can
            wait_for(process, bool, draw.choice((0.0, draw.uniform(0, 1))))
        before = where(place)
        if process.poll() is None and strike(process, each.way, draw):
            if not each.is_survived:
                end(process)
            yield (
                (where(place, before) if each.way in {"group", "conductor"} else before),
                each.way,
            )
    end(process)


def where(place: Place, before: str = "") -> str:
    """Returns where a kill falls; after one of the conductor its stores tell it more closely.

    Args:
        place: The campaign's folder.
        before: What this said before the kill.
    """
    if not place.is_created:
        return "creation of the store"
    done = place.finished()
    if before and before != "creation of the store":
        if place.count("mlflow.db", "runs", f"status = 'RUNNING' AND {TRIAL}"):
            return "while a run is recorded"
        if place.count("optuna.db", "trials", "state IN ('COMPLETE', 'PRUNED')") < done:
            return "between record and mirror"
    if done >= place.trials:
        return "report"
    if any((place.store / ".ablation/progress").rglob("*.jsonl")):
        return "training"
    at_look = place.study.stem == "looks" and done == place.trials // 2
    return "look" if at_look else "start-up"


def end(process: subprocess.Popen[str]) -> str:
    """Waits for the end of a start and of its processes, and returns what it printed."""
    if process.stdout is None or process.stdout.closed:
        return ""
    out, _ = process.communicate(timeout=PATIENCE)
    until = time.monotonic() + 30
    while members(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    return out


def plan(kills: int, draw: random.Random) -> list[list[Strike]]:
    """Returns the starts of a campaign, each with its strikes: the first are in the creation."""
    first = 1 + (draw.random() < 0.25)
    starts = [[Strike("creation", "group")] for _ in range(min(first, kills))]
    places = [MOMENTS.index(draw.choice(MOMENTS[1:])) for _ in range(kills - len(starts))]
    open_: list[Strike] = []
    for number, place in enumerate(sorted(places)):
        ends = ["group", "group", "conductor", draw.choice(SIGNALS)]
        survived = ["worker", "fork server"] if MOMENTS[place] in {"training", "recording"} else []
        is_last = number == len(places) - 1
        way = draw.choice(ends if is_last else ends + 2 * survived)
        open_.append(Strike(MOMENTS[place], way))
        if not open_[-1].is_survived:
            starts, open_ = [*starts, open_], []
    return starts
