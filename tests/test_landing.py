"""What MLflow's pages show of a study label before anything is clicked."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from synthetic import declaration

from ablation import tracking
from ablation.records.outcome import Outcome
from ablation.tracking import Home, landing, served
from ablation.tracking.entities import COLOUR, finals_of


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Home:
    shutil.copytree(empty_store, tmp_path / "store")
    client = tracking.connect(f"sqlite:///{tmp_path / 'store/mlflow.db'}")
    return tracking.open_home(client, "tiny", "tiny@else", data="d", artifacts=tmp_path)


def state_of(home: Home, label: str) -> dict[str, object]:
    tags = home.client.get_experiment(home.experiment).tags
    shown: dict[str, object] = json.loads(landing.state_in(label, tags))
    return shown


def test_the_first_view_lists_a_labels_trials_by_arm(home: Home) -> None:
    declared = declaration()
    landing.set_up(home, declared, "Does it?")
    assert landing.page_of(home).endswith("&viewStateShareKey=tiny:else")
    state = state_of(home, "tiny@else")
    assert state["searchFilter"] == "tags.`ablation.kind` = 'trial'"
    assert state["selectedColumns"] == [
        "params.`arm`", "params.`seed`", "params.`data`", "tags.`status`",
        f"metrics.`test/{declared.metric}`",
    ]  # fmt: skip
    # An older layout: another label in this experiment keeps its view to itself, and no note.
    tags = {"ablation.kind": "study", "ablation.study": "tiny@old", "ablation.data": "o"}
    run = home.client.create_run(home.experiment, tags=tags)
    old = dataclasses.replace(home, label="tiny@old", parent=run.info.run_id)
    landing.set_up(old, declared, "Another?")
    landing.tell(old, "another answer")
    assert "'tiny@old'" in str(state_of(home, "tiny@old")["searchFilter"])
    note = home.client.get_experiment(home.experiment).tags["mlflow.note.content"]
    assert note == "Does it?"


def test_settings_are_parameters_and_a_changed_one_gets_a_number(home: Home) -> None:
    for margin in (0.02, 0.02, 0.03, 0.02, None):
        landing.set_up(home, declaration(margin=margin), "?")
    shown = home.client.get_run(home.parent).data.params
    assert {name: value for name, value in shown.items() if name.startswith("margin")} == {
        "margin": "0.02", "margin.2": "0.03", "margin.3": "0.02", "margin.4": "none",
    }  # fmt: skip
    assert shown["metric"] == "accuracy"


def test_runs_take_their_arms_colour_and_change_it_with_the_arms(home: Home) -> None:
    colours = landing.colours(declaration())
    assert len(set(colours.values())) == len(colours)
    (first, colour), *_ = colours.items()
    ours = dataclasses.replace(home, colours=colours)
    outcomes, shown = {}, []
    for seed, tags in enumerate(({COLOUR: "#000000"}, {COLOUR: colour}, {})):
        run = home.client.create_run(home.experiment, tags=tags).info.run_id
        shown.append(run)
        outcomes[f"tiny/{first}/{seed}"] = Outcome(
            run_id=run, status="FINISHED", reason=None, metrics={}, epoch=1, seconds=1.0,
            tags=tags, ended=1,
        )  # fmt: skip
    landing.recolour(ours, outcomes)
    found = [home.client.get_run(run).data.tags.get(COLOUR) for run in shown]
    assert found == [colour, colour, None]


def test_what_a_run_ends_with_is_no_curve() -> None:
    result = SimpleNamespace(epoch=7, seconds=1.0, metrics={"test/loss": 1.0, "validation/f": 2.0})
    assert {(name, step) for name, _, _, step in finals_of(result, 1.0)} == {
        ("test/loss", 0), ("chosen/validation/f", 0),
    }  # fmt: skip


def test_the_front_page_makes_the_first_choices_and_takes_no_markup(home: Home) -> None:
    landing.set_up(home, declaration(), "?")
    hostile = SimpleNamespace(
        experiment_id="7", name="x",
        tags={"mlflow.sharedViewState.x": json.dumps({"state": "</script><script>alert(1)"})},
    )  # fmt: skip
    none = SimpleNamespace(experiment_id="8", name="y", tags={})
    every = [home.client.get_experiment(home.experiment), hostile, none]
    page = served.chosen_in("<html><head><title>MLflow</title></head></html>", every)
    assert page.count("</script>") == 1
    first = json.loads(page[page.index("{", page.index("entries")) : page.index("))\n")])
    assert first["mlflow.workflowType_v1"] == '"machine_learning"'
    assert json.loads(first[served.PAGE.format(home.experiment)]) == state_of(home, "tiny@else")
    assert served.PAGE.format("8") not in first
