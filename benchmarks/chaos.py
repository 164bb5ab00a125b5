"""Kills a study again and again, at every moment of its life, and checks that nothing is lost.

    python benchmarks/chaos.py [--kills 100] [--seed 0] [--parallel CORES]

A campaign is a fresh store and a study of 24 short trials, in every second one a study whose arms
are tuned. It is killed five times, each time at another moment and in another way, and then run to
its end. After it, seven checks compare what is left with the same study run undisturbed. Several
campaigns run side by side, each in its own store. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kills.checks import BAD, check
from kills.place import Place, write_studies
from kills.strike import end, members, plan, strike_all, wait_for

PER_CAMPAIGN = 5
"""Kills of one store; the first is in its creation."""


@dataclass
class Tally:
    """All that was seen."""

    counts: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)

    def summary(self, seconds: float) -> dict[str, object]:
        """Returns the tally as plain values."""
        counts = {name: self.counts[name] for name in ("kills", "trials", *BAD)}
        seen = {"moments": dict(self.moments.most_common()), "ways": dict(self.ways)}
        return {**counts, **seen, "seconds": round(seconds)}


@dataclass
class Chaos:
    """Campaigns side by side against undisturbed studies."""

    folder: Path
    kills: int
    seed: int
    tally: Tally = field(default_factory=Tally)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def prepare(self) -> None:
        """Runs each study undisturbed, and measures how long the creation of a store takes."""
        self.references = []
        for study in write_studies(self.folder):
            place = Place(self.folder / f"reference_{study.stem}", study)
            process = place.start()
            wait_for(process, place.store.exists, 600)
            began = time.monotonic()
            wait_for(process, lambda place=place: place.is_created, 600)
            self.span = time.monotonic() - began
            print(end(process))
            assert process.returncode == 0, "an undisturbed study did not complete"
            self.references.append(dataclasses.replace(place, trials=place.finished()))

    def go_on(self) -> None:
        """Runs campaigns until enough was killed."""
        while True:
            with self.lock:
                number, left = next(self.numbers), self.kills - self.tally.counts["planned"]
                if left <= 0 or number > 2 * self.kills:
                    return
                self.tally.counts["planned"] += min(PER_CAMPAIGN, left)
            self.campaign(number, min(PER_CAMPAIGN, left))

    def campaign(self, number: int, kills: int) -> None:
        """Kills one store again and again, runs the study to its end, and checks what is left."""
        draw = random.Random(f"{self.seed} {number}")
        reference = self.references[number % len(self.references)]
        place = dataclasses.replace(reference, folder=self.folder / f"campaign{number}")
        lines, hits = [f"campaign {number}: {place.study.stem}"], []
        for strikes in plan(kills, draw):
            for moment, way in strike_all(place, strikes, self.span, draw):
                hits.append((moment, way))
                lines.append(f"  {moment}, {way}; {place.finished()} trials")
        process = place.start()
        out = end(process)
        counts, stray = check(place, reference)
        counts.update(
            kills=len(hits),
            planned=len(hits) - kills,  # what had ended before it was hit is made up for
            processes_left=len(members(process.pid)),
            unfinished_starts=process.returncode != 0,
        )
        bad = any(counts[name] for name in BAD)
        lines += [f"  stray: {name}" for name in stray] + [f"  {counts}\n{out}"] * bad
        with self.lock:
            self.tally.counts.update(counts)
            self.tally.moments.update(moment for moment, _ in hits)
            self.tally.ways.update(way for _, way in hits)
            print("\n".join(lines), flush=True)
        if not bad:
            shutil.rmtree(place.folder)


def main(arguments: list[str] | None = None) -> int:
    """Runs campaigns until enough was killed; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    chaos = Chaos(folder, given.kills, given.seed)
    chaos.prepare()
    with ThreadPoolExecutor(given.parallel) as threads:
        for each in [threads.submit(chaos.go_on) for _ in range(given.parallel)]:
            each.result()
    is_bad = any(chaos.tally.counts[name] for name in BAD)
    if is_bad:
        print(f"What is left is in {folder}.")
    else:
        shutil.rmtree(folder)
    print(json.dumps(chaos.tally.summary(time.monotonic() - began)))
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
