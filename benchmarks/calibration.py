"""Calibration of the verdict engine: how often is it wrong, measured on studies of known truth.

Simulates studies as block + noise + true effect under noise that harms careless statistics,
runs the shipped engine on each, and ends non-zero unless every promise holds: any false claim
in at most .05 of studies in either family, any false verdict in at most .08, intervals that
cover, follow-ups that decide, power at a stored truth. Engines known to be wrong, put in its
place, must fail. The last line is JSON: the worst cell of each promise, and the price.

    python benchmarks/calibration.py
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from calibrate import crossed, fixed, followups, late, looks, sets, unpaired
from calibrate.promise import Check


def broken(found: Iterable[Check]) -> list[str]:
    """Returns the checks that do not hold, one sentence each."""
    return [
        f"{check.promise}: {check.seen:.4f}, bound {check.bound:.4f} ({check.cell})"
        for check in found
        if not check.holds
    ]


def jobs() -> list[Callable[[], list[Check]]]:
    """Returns every measurement as a call, the longest first; each has its own random stream."""
    wide = sorted(
        enumerate(crossed.crossed_cells()),
        key=lambda pair: -pair[1].examples * pair[1].n * (pair[1].comparisons + 1),
    )
    cells = fixed.grid()
    return [
        partial(followups.follow_up_checks, 200),
        partial(looks.natural_checks, 20_000),
        *(partial(crossed.crossed_checks, cell, 2000, number) for number, cell in wide),
        *(partial(looks.look_checks, cell, 8000, n) for n, cell in enumerate(looks.look_cells())),
        *(partial(late.late_checks, cell, 8000, n) for n, cell in enumerate(late.late_cells())),
        partial(looks.interval_checks, 10_000),
        partial(crossed.split_only_checks, 1000),
        partial(crossed.tail_checks, 100_000),
        partial(sets.count_checks, 5000),
        partial(sets.within_checks, 5000),
        partial(sets.mean_checks, 10_000),
        partial(unpaired.unpaired_checks, 6000),
        fixed.all_power_checks,
        fixed.bootstrap_checks,
        *(partial(fixed.fixed_checks, cells[n : n + 20], n) for n in range(0, len(cells), 20)),
    ]


def call(job: Callable[[], list[Check]]) -> list[Check]:
    """Runs one measurement, in whatever process this is."""
    return job()


def measure_all(processes: int = 2) -> list[Check]:
    """Returns all checks; they do not depend on the number of processes."""
    with ProcessPoolExecutor(processes) as pool:
        return [check for part in pool.map(call, jobs()) for check in part]


def table(found: Sequence[Check]) -> str:
    """Returns one line per promise: cells, worst cell and how far it is from its bound."""
    lines = [f"{'':46} {'cells':>5} {'worst':>7} {'bound':>7}"]
    for promise, group in _by_promise(found):
        worst = min(group, key=lambda check: check.room)
        sign = ">=" if worst.at_least != worst.control else "<="
        lines.append(
            f"{promise:46} {len(group):5} {worst.seen:7.4f} {sign}{worst.bound:6.4f}  {worst.cell}"
        )
    return "\n".join(lines) + "\n"


def _by_promise(found: Sequence[Check]) -> list[tuple[str, list[Check]]]:
    ordered = sorted(found, key=lambda check: (check.control, check.promise))
    return [(name, list(group)) for name, group in itertools.groupby(ordered, _promise)]


def _promise(check: Check) -> str:
    return check.promise


def summary(found: Sequence[Check], price: dict[str, float], seconds: float) -> dict[str, Any]:
    """Returns what the last line holds: the worst cell of each promise, the price, the time."""
    worst = {p: min(group, key=lambda check: check.room) for p, group in _by_promise(found)}
    return {
        "worst": {
            p: {"cell": c.cell, "seen": round(c.seen, 4), "bound": round(c.bound, 4)}
            for p, c in worst.items()
        },
        "price": {name: round(value, 4) for name, value in price.items()},
        "checks": len(found),
        "broken": broken(found),
        "seconds": round(seconds),
    }


def main() -> int:
    """Runs everything, prints the table, and returns 0 only if every promise holds."""
    started = time.monotonic()
    found = measure_all()
    price = looks.price(20_000)
    seconds = time.monotonic() - started
    prices = "".join(f"{name:46} {value:7.3f}\n" for name, value in price.items())
    sys.stdout.write(
        f"Worst cell of each promise; a control has to break its bound\n{table(found)}"
        f"\nPrice at the mixed truth, margin 1 SD of a difference\n{prices}"
        f"\n{len(found)} checks, {seconds:.0f} s\n"
        + ("".join(f"BROKEN {line}\n" for line in broken(found)) or "All promises hold.\n")
        + json.dumps(summary(found, price, seconds))
        + "\n"
    )
    return 1 if broken(found) else 0


if __name__ == "__main__":
    sys.exit(main())
