"""One page over all studies; a study in a notebook; the commands for both."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from synthetic import NASTY, content, declaration, runs, small_figures
from typer.testing import CliRunner

import ablation
from ablation import cli
from ablation.errors import Refused
from ablation.figures import name as plain_name
from ablation.report import build, index
from ablation.report.claims import claims_of, said_of
from ablation.report.index import CLAUSES, MARK, _answer, _study
from ablation.report.overview import draw_overview, overview
from ablation.report.standing import MATTERS, standing_of


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three reports, of which the last one is in a loss, and a folder that is none."""
    folder = tmp_path_factory.mktemp("reports")
    with small_figures():
        build(content(label="small"), folder)
        frame = runs()
        frame.loc[frame["arm"] == NASTY[0], "value"] += 0.1
        wording = {"question": "Larger?", "title": "large"}
        build(content(frame, label="large", wording=wording), folder)
        negated = runs("loss").assign(value=-frame["value"])
        build(content(negated, label="lost", declaration=declaration("loss", floor=-0.3)), folder)
    (folder / "stray").mkdir()
    (folder / "stray/study.json").write_text("{}")
    index(folder)
    return folder


def test_the_largest_gain_comes_first_and_a_loss_has_no_points(reports: Path) -> None:
    studies = [_study(reports / name) for name in ("small", "large", "lost")]
    extremes, effects = overview([study for study in studies if study])
    assert list(dict.fromkeys(extremes["study"])) == ["large", NASTY[3]]
    gains, losses = (extremes[extremes["verdict"] == word] for word in ("BETTER", "WORSE"))
    assert set(gains["arm"]) == {NASTY[0]}
    assert set(losses["arm"]) == {NASTY[1]}
    np.testing.assert_allclose(gains["effect"].iloc[0], gains["effect"].iloc[1] + 10)
    assert len(effects) == 8
    (axes,) = draw_overview(extremes, effects, "points", narrow=True).axes
    beside = [text.get_text() for text in axes.texts]
    assert all(any(arm in said for said in beside) for arm in extremes["arm"].map(plain_name))


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_what_a_study_says_in_short_is_the_same_whichever_way_is_better(metric: str) -> None:
    sign = -1 if metric == "loss" else 1
    rows = [
        ("base", "", 0.7, 0.0), ("a", "BETTER", 0.75, 0.05), ("b", "BETTER", 0.72, 0.02),
        ("c", "WORSE", 0.6, -0.1), ("d", "WORSE", 0.5001, -0.1999), ("e", "WORSE", 0.49, -0.21),
        ("f", "IDENTICAL", 0.7, 0.0), ("g", "INCONCLUSIVE", 0.71, 0.01),
        ("h", "WORSE", math.nan, math.nan),
    ]  # fmt: skip
    effects = pd.DataFrame(rows, columns=["arm", "verdict", "mean", "effect"])
    effects = effects.assign(reach="at_least", ground="", failed=0, n=5)
    effects[["mean", "effect"]] *= sign
    declared = declaration(metric, chance=sign * 0.3)
    found = standing_of(effects, declared)
    assert (found.matters, found.take) == ("yes", "a")
    assert found.gain is not None
    assert found.loss is not None
    assert (found.gain["arm"], found.loss["arm"], found.broken) == ("a", "d", 2)
    assert found.baseline == "behind 2, ahead of 4, level with 1, undecided 1"
    # Without a level of chance nothing but an arm without a value is broken.
    unknown = standing_of(effects, declaration(metric, chance=None))
    assert unknown.loss is not None
    assert (unknown.loss["arm"], unknown.broken) == ("e", 1)
    same = standing_of(effects[effects["verdict"].isin(["", "IDENTICAL"])], declared)
    assert (same.matters, same.take, same.gain) == ("no", "base", None)
    assert standing_of(effects.iloc[[0, 6, 7]], declared).matters == "not known yet"
    small = effects.assign(reach="open")
    assert standing_of(small, declared).matters == "perhaps"
    all_failed = small.assign(failed=small["n"].where(small["arm"] == "h", 0))
    assert standing_of(all_failed, declared).matters == "yes, in failures"


def test_the_page_counts_each_grade_of_the_studies_by_itself() -> None:
    words = {*MATTERS.values(), "no", "not known yet"}
    assert set(CLAUSES) == words
    said = [
        next(_answer([{"standing": SimpleNamespace(matters=word)}], pd.DataFrame({"verdict": []})))
        for word in CLAUSES
    ]
    assert len(set(said)) == len(words)
    assert all(each.startswith("Of 1 study: ") for each in said)
    assert [each for each in said if "at least the margin" in each] == said[:1]


def test_the_page_lists_every_study_with_its_answer(reports: Path) -> None:
    page, text = (reports / "index.html").read_text(), (reports / "README.md").read_text()
    assert text.startswith(MARK)
    for name in ("small", "large", "lost"):
        assert f'href="{name}/index.html"' in page
        assert f"({name}/index.html)" in text
    assert "<script>alert" not in page + text
    for said in (page, text):
        assert "1 more: reports that are damaged, or that another version wrote." in said
    assert "Of 3 studies: it matters in 3, by at least the margin." in page
    assert "The largest of 2 gains: " in page
    assert page.replace("\xa0", " ").count("behind 1, ahead of 1, level with 1, undecided 1") == 3
    assert re.search(r"<td[^>]*>\d of \d", page)  # the claims, which may break: many are named
    assert not re.search(r"<td class=\"r\"[^>]*>\d of \d", page)
    assert "2026-01-02" in page
    assert (reports / "figures/overview.png").exists()


def test_studies_of_one_title_are_told_apart(tmp_path: Path) -> None:
    with small_figures():
        for label in ("s", "s@other"):
            build(content(label=label), tmp_path)
    page = index(tmp_path).read_text()
    for label in ("s", "s@other"):
        assert f"({label})" in page


def test_a_readme_of_the_users_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    before = index(tmp_path).read_bytes()
    assert (tmp_path / "README.md").read_text() == "mine"
    assert "No study has been reported yet" in (tmp_path / "index.md").read_text()
    assert index(tmp_path).read_bytes() == before


def test_the_command_makes_the_page_over_all_studies(reports: Path) -> None:
    made = CliRunner().invoke(cli.app, ["report", "--reports", str(reports)])
    assert made.exit_code == 0, made.output
    assert "index.html" in made.output


@pytest.mark.slow
def test_a_changed_file_is_found_and_rebuilt(reports: Path) -> None:
    build(content(label="small"), reports)  # with its own figures
    folder, stale = str(reports / "small"), reports / "small/table.tex"
    before = stale.read_text()
    stale.write_text("")
    checked = CliRunner().invoke(cli.app, ["rebuild", "--check", folder])
    assert (checked.exit_code, checked.output) == (1, f"A rebuild would change {stale}\n")
    rebuilt = CliRunner().invoke(cli.app, ["rebuild", folder])
    assert (rebuilt.exit_code, rebuilt.output) == (0, "1 report rebuilt.\n")
    assert stale.read_text() == before
    checked = CliRunner().invoke(cli.app, ["rebuild", "--check", folder])
    assert checked.output == "1 report checked: a rebuild changes nothing.\n"


def test_a_loaded_study_has_frames_the_answer_and_figures(reports: Path) -> None:
    study = ablation.load(str(reports / "small"))
    assert len(study.runs) == 40
    assert list(study.effects["verdict"])[1:3] == ["BETTER", "WORSE"]
    assert " points below the baseline (interval " in study.answer
    for draw in (study.forest, study.seeds, study.learning_curves, study.probes, study.variance):
        figure = draw()
        assert figure.axes
    assert figure._repr_png_().startswith(b"\x89PNG")
    for nothing in (study.response, study.looks, study.interactions):
        with pytest.raises(Refused, match="nothing to draw"):
            nothing()
    shown = study._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "data:image/svg+xml;base64," in shown
    assert study.answer in repr(study)


def test_what_is_not_recorded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Nothing is recorded"):
        ablation.load("init_std", store=tmp_path)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import ablation; ablation.load; print('ok')"
    code += "; print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "numpy", "mlflow", "matplotlib", "torch"} & set(done.stdout.split())


def test_claims_survive_holm_over_the_families_of_all_studies() -> None:
    columns = ["arm", "verdict", "ground", "stage", "spent_difference", "spent_equivalence"]
    base = ("base", "", "BASELINE", "final", math.nan, math.nan)
    rows = [
        ("a", "BETTER", "ABOVE", "final", 0.01, 1.0),
        ("b", "EQUIVALENT", "WITHIN_MARGIN", "final", 0.5, 0.02),
        ("c", "IDENTICAL", "IDENTICAL", "final", 1.0, 1.0),
    ]
    effects = pd.DataFrame([base, *rows], columns=columns)
    study = {"folder": "one", "declaration": declaration(), "effects": effects}
    alone, families = claims_of([study])
    # Four p values, as c is in neither family: .01 * 4 holds, and .02 * 3 does not.
    assert alone.to_numpy().tolist() == [
        ["one", "a", "BETTER", True], ["one", "b", "EQUIVALENT", False],
    ]  # fmt: skip
    assert families == 2
    many, families = claims_of([study | {"folder": str(place)} for place in range(4)])
    assert families == 8
    assert "at most" in said_of(alone, 2)
    assert "at most" not in said_of(many, 20)
    assert not many["survives"].any()
    assert "None of 8 claims survives" in said_of(many, families)
