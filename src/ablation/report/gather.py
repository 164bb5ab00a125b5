"""From the record to a report's content: MLflow alone is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation import tracking
from ablation.analysis.attention import disagreements
from ablation.analysis.effects import Judged, judge
from ablation.analysis.fresh import fresh_estimates, with_fresh
from ablation.analysis.recorded import judge_record
from ablation.errors import public
from ablation.records.declaration import Declaration
from ablation.records.outcome import Outcome
from ablation.report.content import DETAILS, Content
from ablation.report.searches import search_tables
from ablation.study.derived import FRESH
from ablation.study.identity import key_of
from ablation.tracking import Home

ENVIRONMENT = {
    "commit": "ablation.commit",
    "device": "ablation.device",
    "Python": "ablation.version.python",
}
"""Name of a fact about a run's environment to its tag; the libraries' versions are added."""

LIBRARY = "ablation.version."

MOST_SHADED = 8
"""Arms whose weights are shown over the words of a text."""

PAGES = "http://127.0.0.1:5000"
"""Address at which ``ablation ui`` shows the runs of a store that is not a server."""


def gather(home: Home) -> Content:
    """Reads everything that the report of a study label is made from."""
    current, stored = tracking.current_declaration(home)
    outcomes = tracking.outcomes(home)
    declared = Declaration.from_json(stored["declaration"])
    every = tracking.runs_frame(home.label, declared, outcomes)
    examples = tracking.examples_frame(home, declared, outcomes)
    taken = tracking.taken_of(home, current)
    judged = judge(every, tracking.hashes_frame(declared, outcomes), declared, examples, taken)
    fresh = _fresh(home, declared)
    # Runs beyond an arm's last look, left by an earlier declaration, are not this report's.
    runs = every[every["seed"] < every["arm"].map(judged.seeds)].reset_index(drop=True)
    used = set(runs["run_id"])
    kept = {key: outcome for key, outcome in outcomes.items() if outcome.run_id in used}
    environments, details = _details(declared, kept)
    numerics = tracking.numerics(home)
    kept_examples = _within(examples, judged.seeds)
    about = tracking.about_of(home)
    if texts := about.pop("texts", []):
        weights = tracking.attention_frame(home, declared, kept)
        arms = [arm.name for arm in declared.arms][:MOST_SHADED]
        texts = disagreements(weights, kept_examples, texts, arms)
    return Content(
        label=home.label,
        declaration=declared,
        wording=stored["wording"],
        declared=tracking.declarations(home),
        current=current,
        runs=runs,
        judged=with_fresh(judged, fresh),
        taken=taken,
        curves=tracking.curves_frame(home, declared, kept),
        examples=kept_examples,
        about=about | {"texts": texts} if about else {},
        tests=_tests(home),
        details=details,
        environments=environments,
        record={
            **_kept(home, declared, kept),
            **_sizes(declared, kept),
            **_ended(home, declared, judged, kept),
            "address": _address(home),
            "experiment": home.experiment,
            "test_evaluations": tracking.test_evaluations(
                home,
                declared.data,
                outcomes,
                until=max((each.ended for each in kept.values()), default=0),
            ),
        },
        tables=({} if numerics is None else {"numerics": pd.DataFrame(numerics)})
        | search_tables(home, declared),
        fresh=fresh,
    )


def _tests(home: Home) -> pd.DataFrame | None:
    """Returns columns about the test examples, None where the task has none."""
    return pd.DataFrame(tests) if (tests := tracking.tests_of(home)) else None


def _fresh(home: Home, declared: Declaration) -> pd.DataFrame | None:
    """Returns the estimates on fresh seeds, None where the study asks for none or has none."""
    if not declared.confirm:
        return None
    name = declared.name + FRESH
    label = name + home.label.removeprefix(declared.name)
    found = tracking.find_home(home.client, name, label)
    return None if found is None else fresh_estimates(judge_record(found))


def _ended(
    home: Home, declared: Declaration, judged: Judged, outcomes: Mapping[str, Outcome]
) -> dict[str, list[list[Any]]]:
    """Returns arm, seed and ending of the planned trials that ended without an outcome, if any."""
    missing = {
        key_of(declared.name, arm.config, seed): [arm.name, seed]
        for arm in declared.arms
        for seed in range(judged.seeds[arm.name])
        if key_of(declared.name, arm.config, seed) not in outcomes
    }
    known = tracking.endings(home) if missing and judged.is_judged else {}
    rows = [[*row, known[key]] for key, row in missing.items() if key in known]
    return {"ended": rows} if rows else {}


def _sizes(declared: Declaration, outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, int]]:
    """Returns each arm's number of parameters, where each has one that is known."""
    found = {
        (arm, int(outcome.tags[tracking.PARAMETERS]))
        for arm, _, _, outcome in tracking.planned(declared, outcomes)
        if outcome.tags.get(tracking.PARAMETERS, "").isdecimal()
    }
    # Blocks that are tuned apart may have models of several sizes.
    sizes = dict(sorted(found))
    every = len(found) == len(sizes) == len(declared.arms)
    return {"sizes": {arm.name: sizes[arm.name] for arm in declared.arms}} if every else {}


def _kept(
    home: Home, declared: Declaration, outcomes: Mapping[str, Outcome]
) -> dict[str, list[list[str]]]:
    """Returns the arms whose results were taken as they are although sources changed, if any."""
    hashes = tracking.kept_in(home.tags())
    used = {outcome.tags.get("ablation.config") for outcome in outcomes.values()}
    rows = [
        [arm.name, hashes[arm.config], arm.config]
        for arm in declared.arms
        if arm.config in hashes and hashes[arm.config] in used
    ]
    return {"kept": rows} if rows else {}


def _within(examples: pd.DataFrame, seeds: Mapping[str, int]) -> pd.DataFrame:
    """Returns the examples of the planned runs, and the row that belongs to no run."""
    planned = examples["arm"].map(seeds).fillna(0)
    is_run = examples["seed"] != tracking.COMMONEST
    return examples[~is_run | (examples["seed"] < planned)].reset_index(drop=True)


def _details(
    declared: Declaration, outcomes: Mapping[str, Outcome]
) -> tuple[Sequence[Mapping[str, str]], pd.DataFrame]:
    """Returns the distinct environments, and what each run left beside its metrics."""
    environments: list[dict[str, str]] = []
    rows = []
    for arm, seed, _, outcome in tracking.planned(declared, outcomes):
        environment = _environment(outcome.tags)
        if environment not in environments:
            environments.append(environment)
        rows.append(
            {
                "arm": arm,
                "seed": seed,
                "weights": outcome.tags.get(tracking.WEIGHTS),
                "logits": outcome.tags.get(tracking.LOGITS),
                "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(outcome.ended / 1000)),
                "environment": environments.index(environment),
            }
        )
    return environments, pd.DataFrame(rows, columns=DETAILS)


def _environment(tags: Mapping[str, str]) -> dict[str, str]:
    named = {name: tags[tag] for name, tag in ENVIRONMENT.items() if tag in tags}
    libraries = {
        tag.removeprefix(LIBRARY): version
        for tag, version in sorted(tags.items())
        if tag.startswith(LIBRARY) and tag not in ENVIRONMENT.values()
    }
    return named | libraries


def _address(home: Home) -> str:
    """Returns where MLflow's pages are, empty for no links; never with a password."""
    address = str(home.client.tracking_uri)
    if not address.startswith("http"):
        return "" if os.environ.get("ABLATION_LINKS") == "0" else PAGES
    return public(address).rstrip("/")
