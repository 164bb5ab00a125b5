"""Results from elsewhere: judged as the engine judges them, whatever the shape of their table."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from typer.testing import CliRunner

from ablation import cli, stats
from ablation.errors import Refused
from ablation.notebook import Loaded
from ablation.report import Content, differing, read
from ablation.report.files import write
from ablation.results import Question, Table, judge_table
from ablation.results import read as read_table

HERE = Path(__file__).parent
TABLES = HERE / "results"
SAMPLES = sorted(path.parent for path in (HERE.parent / "docs/samples").glob("*/study.json"))


def judged(table: pd.DataFrame | str, dataset: str | None = None, **asked: Any) -> Any:
    """The content of a table's report, or of each data set's."""
    given: dict[str, Any] = {"arm": "arm", "seed": "seed", "metric": "accuracy", "baseline": "a"}
    if isinstance(table, str):
        source = read_table(str(TABLES / table))
    else:
        source = Table(frame=table, name="table", origin="here")
    found = judge_table(source, Question(**given | asked), dataset=dataset)
    return found if dataset else found[""]


def small(arms: str = "abc", seeds: int = 6, **columns: Any) -> pd.DataFrame:
    """A tidy table in which b is better than a by far, and c the same but for noise."""
    draw = np.random.default_rng(4)
    shift = {"a": 0.0, "b": 0.1, "c": 0.0}
    rows = [
        {"arm": arm, "seed": seed, "accuracy": 0.7 + shift[arm] + draw.normal(0, 0.004)}
        for seed in range(seeds)
        for arm in arms
    ]
    return pd.DataFrame(rows).assign(**columns)


def effects(content: Content) -> pd.DataFrame:
    return content.judged.effects.set_index("arm")


def test_shares_and_per_cent_that_may_be_mixed_up_are_told() -> None:
    percent = small().assign(accuracy=lambda table: 100 * table["accuracy"])
    mixed = percent.assign(
        accuracy=percent["accuracy"].where(percent["arm"] != "b", percent["accuracy"] / 100)
    )
    for table, margin, count in ((percent, 1.0, 0), (percent, 0.01, 1), (mixed, 1.0, 1)):
        said = judged(table, margin=margin).wording["warnings"]
        assert sum("per cent" in warning for warning in said) == count
    assert "6 of 18 values are at most 1" in said[-1]
    assert not any("per cent" in line for line in judged(small(), margin=0.01).wording["warnings"])


@pytest.mark.parametrize("cell", ["80.94%", "0,8094", "8,094.0"])
def test_a_number_that_is_written_otherwise_is_told_so(cell: str) -> None:
    table = small().assign(accuracy=lambda table: table["accuracy"].astype(str))
    table.loc[3, "accuracy"] = cell
    with pytest.raises(Refused, match=r"1 finished run has(.|\n)*Write plain numbers"):
        judged(table)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_runs_of_a_sample_are_judged_as_the_engine_judges_them(sample: Path) -> None:
    runs = pd.read_csv(sample / "runs.csv", dtype=str, keep_default_na=False)
    runs = runs[runs["seed"].astype(int) < 5]
    declared = read(sample).declaration
    where = ("split=test", "metric=accuracy")
    asked = {"metric": "value", "where": where, "lower_is_better": False, "failed": ("FAILED",),
             "status": "status", "margin": declared.margin}  # fmt: skip
    if not (runs["status"] == "FAILED").any():
        del asked["failed"]
    content = judged(runs, baseline=declared.baseline, **asked)

    kept = runs[(runs["split"] == "test") & (runs["metric"] == "accuracy")]
    arms = [declared.baseline, *(a.name for a in declared.arms if a.name != declared.baseline)]
    grid = kept.set_index(["arm", "seed"]).unstack("seed").loc[arms]
    values = grid["value"].replace("", "nan").to_numpy(float)
    failed = grid["status"].to_numpy() == "FAILED"
    v = stats.verdicts(values, status=failed.astype(int), margin=declared.margin, alpha=0.05)
    found = effects(content).loc[arms]
    assert list(found["verdict"]) == list(v.verdict)
    for name in ("effect", "mean", "low", "high", "p_difference", "p_equivalence", "verdict_low",
                 "verdict_high", "standard_error", "rho", "failed_upper95"):  # fmt: skip
        np.testing.assert_allclose(found[name].astype(float), getattr(v, name), atol=1e-9)
    assert set(found["scope"]) == {"this_split"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_report_folder_gives_its_own_effects_in_all_columns(sample: Path) -> None:
    result = CliRunner().invoke(cli.app, ["judge", str(sample), "--json"])
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)["judged"]
    stored = pd.read_csv(sample / "effects.csv", dtype=str, keep_default_na=False)
    stored = stored.drop(columns="reason")  # a sentence, which `make reports-check` compares
    for row, texts in zip(told["effects"], stored.to_dict("records"), strict=True):
        for name, text in texts.items():
            assert row[name] == plain(text, row[name]), (row["arm"], name)


def plain(text: str, like: Any) -> Any:
    """A cell of a CSV file as the kind that JSON has in its place; infinity is null there."""
    if like is None or isinstance(like, bool):
        return None if text in {"", "inf"} else text == "True"
    if isinstance(like, float):
        return pytest.approx(float(text), rel=1e-12, abs=1e-15)
    return type(like)(text)


def test_a_published_table_with_a_column_per_arm() -> None:
    content = judged("time_series.csv", arm="*", seed="Unnamed: 0", baseline="ResNet", margin=0.02)
    wide = pd.read_csv(TABLES / "time_series.csv", index_col=0)
    theirs = scipy_stats.ttest_rel(wide["MLP"], wide["ResNet"])
    row = effects(content).loc["MLP"]
    assert row["effect"] == pytest.approx((wide["MLP"] - wide["ResNet"]).mean())
    assert row["n"] == 12
    assert row["p_difference"] >= theirs.pvalue  # by Holm
    assert (row["low"], row["high"]) == pytest.approx(tuple(theirs.confidence_interval()))
    assert list(content.tables["seeds"].iloc[:, 1]) == list(wide.index)
    assert list(effects(content).index) == ["ResNet", *wide.columns.drop("ResNet")]
    few = judged("time_series.csv", arm="FCN, ResNet", seed="Unnamed: 0", baseline="ResNet")
    alone = scipy_stats.ttest_rel(wide["FCN"], wide["ResNet"])
    assert effects(few).loc["FCN", "p_difference"] == pytest.approx(alone.pvalue)


def test_a_published_table_of_several_data_sets_is_judged_set_by_set() -> None:
    asked = {"arm": "classifier", "seed": "fold", "baseline": "nbc", "margin": 2.0}
    found = judged("folds.jsonl", dataset="data", **asked)
    assert list(found) == ["ecoli", "eucalyptus", "glass", "iris"]
    assert found["ecoli"].label == "folds@ecoli"
    assert effects(found["eucalyptus"]).loc["hnb", "verdict"] == "BETTER"
    assert effects(found["iris"]).loc["aode", "ground"] == "UNCONFIRMED"  # equal in every fold
    frame = pd.read_json(TABLES / "folds.jsonl", lines=True)
    alone = judged(frame[frame["data"] == "glass"], **asked)
    pd.testing.assert_frame_equal(effects(alone), effects(found["glass"]))
    assert found["iris"].declaration.measure.factor == 1.0  # percent, as the table has them
    assert found["iris"].declaration.measure.unit == "points"


def test_a_table_of_ragged_seeds_is_judged_unpaired_and_says_so() -> None:
    asked = {"arm": "model", "seed": "random_state", "metric": "test_accuracy", "margin": 0.02,
             "baseline": "forest"}  # fmt: skip
    with pytest.raises(Refused, match=r"share 0 of 15 seeds.*\n.*--unpaired"):
        judged("digits.csv", **asked)
    content = judged("digits.csv", unpaired=True, **asked)
    frame = pd.read_csv(TABLES / "digits.csv", sep=";")
    by = {name: of.to_numpy() for name, of in frame.groupby("model")["test_accuracy"]}
    for arm, runs in (("tree", 5), ("mlp", 3)):
        row, theirs = effects(content).loc[arm], scipy_stats.ttest_ind(
            by[arm], by["forest"], equal_var=False
        )  # fmt: skip
        assert row["n"] == runs
        raw = 2 * scipy_stats.t.sf(abs(theirs.statistic), min(runs, 10) - 1)
        assert row["p_difference"] == pytest.approx(raw * (2 if arm == "tree" else 1))
    assert effects(content)["verdict"].to_dict() == {
        "forest": "", "tree": "WORSE", "mlp": "EQUIVALENT"
    }  # fmt: skip
    assert effects(content)["n"].to_dict() == {"forest": 10, "tree": 5, "mlp": 3}


@pytest.mark.parametrize("kind", ["long", "wide", "percent"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl"])
def test_every_format_and_shape_gives_the_same_verdicts(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    table = small()
    expected = effects(judged(table, margin=0.02))
    asked: dict[str, Any] = {"margin": 0.02}
    if kind == "wide":
        table = table.pivot(index="seed", columns="arm", values="accuracy").reset_index()
        asked["arm"] = "*"
    elif kind == "percent":
        table, asked["margin"] = table.assign(accuracy=100 * table["accuracy"]), 2.0
    path = tmp_path / f"t.{suffix}"
    {
        "csv": lambda: table.to_csv(path, index=False),
        "tsv": lambda: table.to_csv(path, index=False, sep="\t"),
        "parquet": lambda: table.to_parquet(path),
        "jsonl": lambda: path.write_text(table.to_json(orient="records", lines=True,
                                                      double_precision=15)),
    }[suffix]()  # fmt: skip
    question = Question(**{"arm": "arm", "seed": "seed", "metric": "accuracy", "baseline": "a"}
                        | asked)  # fmt: skip
    found = effects(judge_table(read_table(str(path)), question)[""])
    assert list(found["verdict"]) == list(expected["verdict"]) == ["", "BETTER", "EQUIVALENT"]
    scale = 100 if kind == "percent" else 1
    np.testing.assert_allclose(found["effect"] / scale, expected["effect"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["p_difference"], expected["p_difference"], atol=1e-9)


def test_neither_the_order_of_rows_nor_the_names_of_seeds_matter() -> None:
    table = small()
    expected = judged(table, margin=0.02)
    named = table.assign(seed=table["seed"].map(lambda seed: 1000 - 7 * seed))
    found = judged(named.sample(frac=1, random_state=3), margin=0.02)
    left, right = effects(expected), effects(found)
    numbers = left.select_dtypes("number").columns
    np.testing.assert_allclose(right.loc[left.index, numbers].astype(float),
                               left[numbers].astype(float), atol=1e-12)  # fmt: skip
    assert list(found.tables["seeds"].iloc[:, 1]) == [str(1000 - 7 * s) for s in range(5, -1, -1)]
    assert not expected.tables


def test_a_loss_is_better_where_it_is_lower() -> None:
    table = small().rename(columns={"accuracy": "test/loss"})
    found = effects(judged(table, metric="test/loss"))
    assert found.loc["b", "verdict"] == "WORSE"
    assert effects(judged(table, metric="test/loss", lower_is_better=False)).loc[
        "b", "verdict"] == "BETTER"  # fmt: skip


def test_failed_runs_take_the_chance_level_and_without_one_decide_nothing() -> None:
    table = small(state="finished")
    table.loc[table.index[1], ["state", "accuracy"]] = ["diverged", np.nan]
    asked = {"status": "state", "failed": ("diverged",)}
    bare = judged(table, **asked)
    assert effects(bare).loc["b", "ground"] == "NO_FLOOR"
    assert effects(bare).loc["c", "verdict"] == "INCONCLUSIVE"
    floored = judged(table, **asked, chance=0.5)
    assert effects(floored).loc["b", "failed"] == 1
    assert floored.declaration.collapse == "half"
    b = table[table["arm"] == "b"]["accuracy"].fillna(0.5).mean()
    assert effects(floored).loc["b", "mean"] == pytest.approx(b)
    assert list(floored.runs.loc[floored.runs["status"] == "FAILED", "reason"]) == ["diverged"]


def test_a_run_without_an_outcome_takes_the_verdict_of_its_own_arm_alone() -> None:
    table = small(state="finished")
    table.loc[table.index[1], ["state", "accuracy"]] = ["killed", np.nan]
    content = judged(table, status="state", margin=0.02)
    assert effects(content)["verdict"].to_dict() == {
        "a": "", "b": "INCONCLUSIVE", "c": "EQUIVALENT"
    }  # fmt: skip
    assert effects(content).loc["b", "ground"] == "INCOMPLETE"
    unpaired = judged(table, status="state", margin=0.02, unpaired=True)
    assert effects(unpaired)["n"].to_dict() == {"a": 6, "b": 5, "c": 6}
    assert effects(unpaired).loc["b", "verdict"] == "BETTER"
    assert "1 of 18 runs" in unpaired.wording["warnings"][-1]


def test_doubled_runs_are_refused_unless_the_first_or_last_is_asked_for() -> None:
    table = small()
    again = pd.concat([table, table.iloc[[4]].assign(accuracy=0.1)], ignore_index=True)
    with pytest.raises(Refused, match=r"b seed 1 has 2"):
        judged(again)
    pd.testing.assert_frame_equal(effects(judged(again, which="first")), effects(judged(table)))
    last = judged(again, which="last")
    assert effects(last).loc["b", "mean"] < effects(judged(table)).loc["b", "mean"]
    assert any("the last is taken" in said for said in last.wording["warnings"])
    # A run without an outcome is no second one: it was tried again.
    tried = again.assign(state=["ok"] * len(table) + ["killed"])
    pd.testing.assert_frame_equal(
        effects(judged(tried, status="state")), effects(judged(table, status=None))
    )


BAD: Mapping[str, tuple[Any, Mapping[str, Any], str]] = {
    "no row at all": (small().iloc[:0], {}, "has no row"),
    "two columns of one name": (small().set_axis(["arm", "arm", "accuracy"], axis="columns"), {},
                                "Two columns have one name: arm"),
    "ragged": (small().drop(index=[4, 7]), {}, "share 4 of 6 seeds; b lacks 1, 2"),
    "nan": (small(accuracy=np.nan), {}, "18 finished runs have no finite number"),
    "infinite": (small(accuracy=1e300), {}, "18 finished runs have no finite number"),
    "one seed": (small(seeds=1), {}, "A single seed, 0"),
    "one arm": (small("a"), {}, "has one arm"),
    "no baseline": (small(), {"baseline": "d"}, "No arm is the baseline 'd'"),
    "text": (small(accuracy="68.4(7.1)"), {}, "no finite number in 'accuracy'"),
    "no column": (small(), {"metric": "acuracy"}, "Did you mean 'accuracy'"),
    "no seed column": (small(), {"seed": None}, "no column names the seed"),
    "no direction": (small().rename(columns={"accuracy": "bleu"}), {"metric": "bleu"},
                     "does not tell whether higher is better"),
    "no row": (small(), {"where": ("arm=x",)}, "No row has arm=x"),
    "no condition": (small(), {"where": ("arm",)}, "condition COLUMN=VALUE"),
    "margin": (small(), {"margin": 0.0}, "margin > 0"),
    "small margin": (small(), {"margin": 0.001, "examples": 100}, "below the step"),
    "status": (small(state="finished"), {"status": "state", "failed": ("nan",)},
               "No run has the status 'nan'"),
    "failed alone": (small(), {"failed": ("nan",)}, "no column that has them"),
    "which": (small(), {"which": "best"}, "'first' or 'last'"),
    "no arm in a row": (small().assign(arm=lambda t: t["arm"].where(t.index > 0, "")), {},
                        "Rows without an arm"),
    "unpaired, one run": (small().drop(index=range(4, 18, 3)), {"unpaired": True},
                          "says nothing of the noise: b"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=str)
def test_a_table_that_cannot_be_judged_gets_two_lines(case: str) -> None:
    table, asked, said = BAD[case]
    with pytest.raises(Refused) as refusal:
        judged(table, **asked)
    assert said in refusal.value.rule
    assert len(str(refusal.value).splitlines()) == 2


def test_a_table_of_means_with_deviations_is_refused_by_its_first_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("data,MLP,FCN\nBeef,72.0(2.8),69.7(4.0)\nWine,56.5(7.1),58.7(8.3)\n")
    table = read_table(str(path))
    question = Question(arm="*", seed="data", metric="accuracy", baseline="MLP")
    with pytest.raises(Refused, match=r"row 1: '72\.0\(2\.8\)'"):
        judge_table(table, question)


@pytest.mark.slow
def test_the_report_is_whole_says_what_no_table_shows_and_rebuilds(tmp_path: Path) -> None:
    asked = ["judge", str(TABLES / "digits.csv"), "--arm", "model", "--seed", "random_state",
             "--metric", "test_accuracy", "--baseline", "forest", "--margin", "0.02",
             "--unpaired", "--reports", str(tmp_path)]  # fmt: skip
    result = CliRunner().invoke(cli.app, asked)
    assert result.exit_code == 0, result.output
    assert "on this test split, unpaired" in result.stdout
    folder = tmp_path / "digits"
    assert {path.name for path in folder.iterdir()} >= {
        "index.html", "README.md", "table.tex", "effects.csv", "runs.csv", "study.json"
    }  # fmt: skip
    page = (folder / "README.md").read_text()
    assert "chosen with the results at hand" in page
    assert "if the number of seeds was fixed beforehand" in page
    assert "never liberal" in page
    assert "share a seed" not in page
    assert "MLflow" not in page
    assert "tuned" not in page
    assert differing(folder) == []


def test_the_report_of_a_study_that_was_run_is_not_overwritten(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES[0], tmp_path / "reports" / "t")
    path = tmp_path / "t.csv"
    small().to_csv(path, index=False)
    asked = ["judge", str(path), "--arm", "arm", "--seed", "seed", "--metric", "accuracy",
             "--baseline", "a", "--reports", str(tmp_path / "reports")]  # fmt: skip
    before = (tmp_path / "reports/t/study.json").read_bytes()
    result = CliRunner().invoke(cli.app, asked)
    assert isinstance(result.exception, Refused)
    assert "--name" in result.exception.way_out
    assert (tmp_path / "reports/t/study.json").read_bytes() == before


def test_a_content_of_a_table_survives_its_folder(tmp_path: Path) -> None:
    content = judged(small(), margin=0.02)
    write(content, tmp_path)
    again = read(tmp_path)
    pd.testing.assert_frame_equal(again.judged.effects, content.judged.effects)
    assert again.declaration == content.declaration
    assert dataclasses.asdict(again)["wording"] == content.wording


def test_a_frame_in_python_is_judged_as_its_file_is() -> None:
    import ablation

    found = ablation.judge(
        small(), arm="arm", seed="seed", metric="accuracy", baseline="a", margin=0.02
    )
    pd.testing.assert_frame_equal(found.effects, judged(small(), margin=0.02).judged.effects)
    assert found.answer.startswith(
        "It matters, by at least the margin of 2 points, on this test split. Take “b”: "
    )
    with pytest.raises(TypeError):
        ablation.judge(small(), arm="arm", metric="accuracy", baseline="a", lower=True)


@pytest.mark.slow
def test_a_frame_of_several_data_sets_is_judged_in_python_as_by_the_command(
    tmp_path: Path,
) -> None:
    import ablation

    table = pd.concat([small(of="first"), small(of="second", seeds=8)])
    table.to_csv(tmp_path / "mine.csv", index=False)
    asked: dict[str, Any] = {"arm": "arm", "seed": "seed", "metric": "accuracy", "baseline": "a",
                             "dataset": "of", "margin": 0.02}  # fmt: skip
    options = [text for name, value in asked.items() for text in (f"--{name}", str(value))]
    command = ["judge", str(tmp_path / "mine.csv"), *options, "--json"]
    ran = CliRunner().invoke(cli.app, [*command, "--reports", str(tmp_path / "reports")])
    told = json.loads(ran.stdout)
    found = ablation.judge(table, name="mine", **asked)
    assert list(found) == [each["dataset"] for each in told["judged"]]
    for each, rows in zip(found.values(), told["judged"], strict=True):
        assert each.answer == rows["answer"]
        assert json.loads(each.effects.to_json(orient="records", double_precision=15)) == [
            {name: pytest.approx(value) for name, value in row.items()} for row in rows["effects"]
        ]
    assert found.answer == told["over_sets"]["answer"]
    written = pd.read_csv(tmp_path / "reports/mine+sets/over.csv")
    pd.testing.assert_frame_equal(found.over, written, check_dtype=False)


def test_no_study_is_named_that_could_be_run_where_the_results_are_a_tables() -> None:
    found = Loaded(judged(small(), margin=0.004))
    assert "fresh seeds would decide it with 80 % probability" in found.answer
    assert "ablation run" not in found.answer


def test_data_sets_without_the_same_arms_have_nothing_over_all_of_them() -> None:
    import ablation

    table = pd.concat([small("ab", of="first"), small("abc", of="second")])
    found = ablation.judge(
        table, arm="arm", seed="seed", metric="accuracy", baseline="a", dataset="of"
    )
    assert list(found["second"].effects["arm"]) == ["a", "b", "c"]
    with pytest.raises(Refused, match="do not have the same arms"):
        found.answer  # noqa: B018 - a property


def test_readme_and_reference_name_the_options_that_there_are() -> None:
    readme, reference = (
        (HERE.parent / name).read_text(encoding="utf-8")
        for name in ("README.md", "docs/reference.md")
    )
    section = readme.partition("## Results that you already have")[2].partition("\n## ")[0]
    table = reference.partition("## Options of judge")[2].partition("\n## ")[0]
    named = set(re.findall(r"--[a-z]+", section + table))
    shown = CliRunner().invoke(cli.app, ["judge", "--help"], env={"COLUMNS": "200"}).output
    offered = set(re.findall(r"--[a-z]+", shown)) - {"--help", "--json", "--store", "--reports"}
    assert named == offered - {"--name"}
