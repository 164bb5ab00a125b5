"""From the record to a report's content: MLflow alone is asked."""

from __future__ import annotations

from collections.abc import Mapping

from ablation import tracking
from ablation.analysis import judge
from ablation.report.build import Content
from ablation.tracking import Home, Outcome

PROVENANCE = {
    "data": "ablation.data",
    "commit": "ablation.commit",
    "device": "ablation.device",
    "Python": "ablation.version.python",
    "torch": "ablation.version.torch",
}


def gather(home: Home) -> Content:
    """Reads everything that the report of a study label is made from."""
    current, stored = tracking.current_declaration(home)
    outcomes = tracking.outcomes(home)
    declared = stored["declaration"]
    every = tracking.runs_frame(home.label, declared, outcomes)
    judged = judge(every, tracking.hashes_frame(declared, outcomes), declared)
    # Runs beyond an arm's last look, left by an earlier declaration, are not this report's.
    runs = every[every["seed"] < every["arm"].map(judged.seeds)].reset_index(drop=True)
    used = set(runs["run_id"])
    kept = {key: outcome for key, outcome in outcomes.items() if outcome.run_id in used}
    return Content(
        label=home.label,
        declaration=declared,
        wording=stored["wording"],
        declared=tracking.declarations(home),
        current=current,
        runs=runs,
        judged=judged,
        curves=tracking.curves_frame(home, declared, kept),
        provenance=_provenance(kept),
    )


def _provenance(outcomes: Mapping[str, Outcome]) -> dict[str, list[str]]:
    """Returns name to the distinct values among the runs, leaving out what none has."""
    found = {
        name: sorted({each.tags[tag] for each in outcomes.values() if tag in each.tags})
        for name, tag in PROVENANCE.items()
    }
    return {name: values for name, values in found.items() if values}
