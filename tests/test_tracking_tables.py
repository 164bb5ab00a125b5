"""What plain SQL reads of a record is what MLflow's client reads of it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation import tracking
from ablation.errors import Refused
from ablation.tracking import Home, store, tables
from ablation.tracking.curves import seven_digits
from ablation.tracking.late import LateClient, place_of, published_in

METRICS = {
    "test/accuracy": 1 / 3, "test/loss": math.nan, "test/macro_f1": math.inf,
    "chosen/validation/loss": -math.inf, "validation/loss": 0.5, "train/loss": 1e-30,
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Home:
    shutil.copytree(empty_store, tmp_path / "store")
    client = store._client(f"sqlite:///{tmp_path / 'store/mlflow.db'}")  # MLflow's own
    for study, label, data in (("other", "other", "e"), ("tiny2", "tiny2", "g"),
                               ("tiny", "tiny@else", "f")):  # fmt: skip
        tracking.open_home(client, study, label, data=data, artifacts=tmp_path)
    found = tracking.open_home(client, "tiny", "tiny", data="d", artifacts=tmp_path)
    # An older layout: every label in the study's experiment.
    tags = {"ablation.kind": "study", "ablation.study": "tiny@old", "ablation.data": "o"}
    client.create_run(found.experiment, tags=tags, start_time=1)
    return found


def add(home: Home, key: str, *, status: str, start: int, label: str = "", **more: str) -> str:
    """Records a run as it may be found in a store."""
    from mlflow.entities import Metric, Param

    tags = {
        "ablation.kind": "trial", "ablation.study": label or home.label, "ablation.key": key,
        "ablation.epoch": "3", "ablation.seconds": "0.1", **more,
    }  # fmt: skip
    run = home.client.create_run(home.experiment, tags=tags, start_time=start)
    id_ = str(run.info.run_id)
    points = [
        Metric(name, value, step, step) for name, value in METRICS.items() for step in (2, 1)
    ]
    points.append(Metric("test/accuracy", 0.25, 5, 3))
    home.client.log_batch(id_, metrics=points, params=[Param("model.dropout", "0.1")])
    if status != "RUNNING":
        home.client.set_terminated(id_, status=status, end_time=start + 7)
    return id_


@pytest.fixture
def filled(home: Home) -> Home:
    """A store with a run of every kind that there is."""
    nan = {"ablation.reason": "nan_loss"}
    add(home, "tiny/a/0", status="FINISHED", start=5)
    add(home, "tiny/a/0", status="FINISHED", start=4)  # the older of two counts
    add(home, "tiny/a/1", status="FAILED", start=1, **nan)
    add(home, "tiny/a/2", status="FAILED", start=1)
    add(home, "tiny/a/3", status="KILLED", start=1, **nan)
    add(home, "tiny/a/4", status="RUNNING", start=1)
    home.client.delete_run(add(home, "tiny/a/5", status="FINISHED", start=1))
    home.client.delete_run(add(home, "tiny/a/6", status="FINISHED", start=1))
    add(home, "tiny/a/6", status="FINISHED", start=2, **{"ablation.weights": "ä, 'b'"})
    add(home, "tiny/a/7", status="FINISHED", start=1, label="tiny@else")
    return home


def test_outcomes_by_sql_are_those_of_the_client(
    filled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_sql = tracking.outcomes(filled)
    with monkeypatch.context() as patch:
        patch.setattr(Home, "shared", True)
        by_client = tracking.outcomes(filled)
    assert list(by_sql) == ["tiny/a/1", "tiny/a/6", "tiny/a/0"]
    assert repr(by_sql) == repr(by_client)
    assert by_sql["tiny/a/0"].metrics["test/accuracy"] == 0.25
    assert math.isnan(by_sql["tiny/a/0"].metrics["test/loss"])


def test_a_run_that_comes_while_the_tables_are_read_is_not_half_there(filled: Home) -> None:
    uri = str(filled.client.tracking_uri)
    recording = dataclasses.replace(filled, client=tracking.connect(uri, record=True))
    before, added = list(tracking.outcomes(filled)), list[str]()
    with tables.reading(uri) as query:

        def meanwhile(sql: str, **values: Any) -> list[Any]:
            found = query(sql, **values)
            if not added:
                added.append(add(recording, "tiny/a/8", status="FINISHED", start=9))
            return found

        assert list(tables.outcomes(meanwhile, filled.experiment, "tiny")) == before
    assert "tiny/a/8" in tracking.outcomes(filled)


def test_parents_by_sql_are_those_of_the_client(filled: Home) -> None:
    client = filled.client
    client.set_tag(filled.parent, "ablation.declaration", "h")
    tracking.close(filled, complete=True)
    with tables.reading(client.tracking_uri) as query:
        rows = tables.parents(query, "tiny")
        assert tables.parents(query, "none") == []
    assert {row.tags["ablation.study"]: row.tags["ablation.data"] for row in rows} == {
        "tiny": "d", "tiny@else": "f", "tiny@old": "o",
    }  # fmt: skip
    assert tables.labels_taken(rows) == tracking.labels_taken(client, "tiny")
    for label in ("tiny", "tiny@else", "tiny@old"):
        home = tracking.find_home(client, "tiny", label)
        assert home is not None
        assert [home.parent, home.experiment] == next(
            [row.run_id, row.experiment] for row in rows if row.tags["ablation.study"] == label
        )
        name = client.get_experiment(home.experiment).name
        assert name == ("tiny" if label == "tiny@old" else label)
    for row in rows:
        run = client.get_run(row.run_id)
        assert dict(row.tags) == run.data.tags
        assert (row.status, row.start_time) == (run.info.status, run.info.start_time)
    assert {row.run_id: row.status for row in rows}[filled.parent] == "FINISHED"


def test_a_deleted_experiment_is_refused_as_by_the_client(filled: Home) -> None:
    filled.client.delete_experiment(filled.experiment)
    with pytest.raises(Refused) as by_client:
        tracking.find_home(filled.client, "tiny", "tiny")
    with (
        tables.reading(filled.client.tracking_uri) as query,
        pytest.raises(Refused) as by_sql,
    ):
        tables.refuse_deleted(query, "tiny")
    assert str(by_sql.value) == str(by_client.value)


def test_points_by_sql_are_those_of_the_client(filled: Home) -> None:
    ids = [outcome.run_id for outcome in tracking.outcomes(filled).values()]
    with tables.reading(filled.client.tracking_uri) as query:
        found = tables.points(query, ids)
    expected: list[Any] = [
        (run, name, point.step, point.value)
        for run in ids
        for name in METRICS
        for point in filled.client.get_metric_history(run, name)
        if not math.isnan(point.value)
    ]
    assert sorted(found) == sorted(expected)


def late(home: Home) -> Home:
    """Returns a home whose client never loads MLflow."""
    client: Any = tracking.connect(str(home.client.tracking_uri))
    assert isinstance(client, LateClient)
    client._load = lambda uri: pytest.fail(f"MLflow was loaded for {uri}")
    return dataclasses.replace(home, client=client)


def test_what_is_read_without_mlflow_is_what_its_client_reads(filled: Home) -> None:
    other = tracking.find_home(filled.client, "tiny", "tiny@else")
    assert other is not None
    run = add(other, "tiny/b/0", status="FAILED", start=3, label="tiny@else",
              **{"ablation.data": "d", "ablation.raised": "KeyError"})  # fmt: skip
    for start in (2, 3, 4):  # of which MLflow counts those that ended by a time
        evaluated = add(other, f"tiny/b/{start}", status="FINISHED", start=start,
                        label="tiny@else", **{"ablation.data": "d"})  # fmt: skip
        filled.client.log_metric(evaluated, "test/loss", 0.5, step=9)
    filled.client.delete_run(add(other, "tiny/b/1", status="FINISHED", start=3,
                                 **{"ablation.data": "d"}))  # fmt: skip
    ours, every = late(filled), tracking.outcomes(filled)
    assert tracking.labels_taken(ours.client, "tiny") == {
        "tiny": "d",
        "tiny@else": "f",
        "tiny@old": "o",
    }
    for label in ("tiny", "tiny@else", "tiny@old", "tiny'", "other"):
        by_sql, by_client = (tracking.find_home(h.client, "tiny", label) for h in (ours, filled))
        assert by_sql == (by_client and dataclasses.replace(by_client, client=ours.client))
    for of in (filled, other):
        by_sql = dataclasses.replace(of, client=ours.client)
        assert by_sql.tags() == of.tags()
        assert tracking.endings(by_sql) == tracking.endings(of)
        assert place_of(by_sql.client, of.experiment) == place_of(of.client, of.experiment)
        for until in (9, 10):
            counts = [tracking.test_evaluations(h, "d", every, until=until) for h in (by_sql, of)]
            assert counts[0] == counts[1]
    assert tracking.endings(other) == {"tiny/b/0": "raised: KeyError"}
    assert repr(published_in(ours.client, run)) == repr(published_in(filled.client, run))
    filled.client.delete_experiment(filled.experiment)
    with pytest.raises(Refused, match="was deleted"):
        tracking.find_home(ours.client, "tiny", "tiny")


def test_what_is_published_without_mlflow_is_what_its_client_publishes(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"effect": 0.0, "verdict": "", "failed": 0},
        {"effect": math.nan, "verdict": "WORSE", "failed": 2},
    ]
    found = []
    for publishing in (home, late(home)):
        for clock, some in ((1.0, rows), (2.0, rows * 2), (3.0, rows[:1]), (3.0, rows)):
            monkeypatch.setattr("ablation.tracking.parent.time.time", lambda at=clock: at)
            (tmp_path / "a").mkdir(exist_ok=True)
            (tmp_path / f"a/{clock}").write_text("x")
            tracking.publish(publishing, some, f"**q**\n\nä 'b' {clock}", tmp_path / "a")
            tracking.keep_reported(publishing, {"of": "x" * 90_000})
        place = str(published_in(home.client, home.parent)[1]).removeprefix("file://")
        with tables.reading(str(home.client.tracking_uri)) as query:
            found.append([
                sorted(path.name for path in Path(place).rglob("*")),
                *(sorted(map(str, query(f"SELECT * FROM {name} ORDER BY 1"))) for name in
                  ("tags", "experiment_tags", "metrics", "latest_metrics")),
            ])  # fmt: skip
        connection = sqlite3.connect(str(home.client.tracking_uri).removeprefix("sqlite:///"))
        with contextlib.closing(connection), connection:
            for name in ("metrics", "latest_metrics"):
                connection.execute(f"DELETE FROM {name}")
            connection.execute("DELETE FROM experiment_tags")
            connection.execute("DELETE FROM tags WHERE key LIKE 'ablation.reported%'")
        shutil.rmtree(tmp_path / "a")
        shutil.rmtree(Path(place))
    assert found[0] == found[1]


def test_another_process_that_publishes_meanwhile_is_no_error(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text("x")
    tracking.publish(home, [], "q", tmp_path / "a")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # the other has put it back
    tracking.publish(late(home), [], "q", tmp_path / "a")


def test_a_record_that_fails_while_it_is_read_is_refused(home: Home) -> None:
    ours = late(home)
    connection = sqlite3.connect(str(home.client.tracking_uri).removeprefix("sqlite:///"))
    with contextlib.closing(connection), connection:
        connection.execute("DROP TABLE latest_metrics")
    with pytest.raises(Refused, match="cannot be read"):
        published_in(ours.client, home.parent)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_seven_digits_are_those_of_the_text(values: list[float]) -> None:
    ties = [0.12345675, 1.2345675e-5, 1234567.5, 9.9999995, 0.1, 1e22, 1e23, 1e-320, 0.0, -0.0]
    every = np.array(values + ties + [round(value, 3) for value in values], np.float64)
    expected = [repr(float(f"{value:.7g}")) for value in every]
    assert [repr(value) for value in seven_digits(every).tolist()] == expected
