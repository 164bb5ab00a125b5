"""A report's folder: equal bytes from equal content, rebuilt from itself, names never markup."""

from __future__ import annotations

import dataclasses
import html.parser
import pickle
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import ARMS, NASTY, arms_named, content, curves, declaration, runs

from ablation.errors import Refused
from ablation.figures import svg
from ablation.records.declaration import Look
from ablation.report import Basis, Content, build, compose, read
from ablation.report.blocks import Cell, Table, table
from ablation.report.methods import methods
from ablation.report.rebuild import differing, rebuild
from ablation.report.render import latex, markdown

SAMPLES = Path(__file__).parents[1] / "docs/samples"
FIGURES = ["cost", "curves", "differences", "probes", "seeds", "variance"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(content(), tmp_path_factory.mktemp("reports"))


class Texts(html.parser.HTMLParser):
    """What a reader sees of a page, and the tags that make it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_a_folder_holds_what_is_read_and_what_it_is_rebuilt_from(built: Path) -> None:
    names = {path.name for path in built.iterdir()}
    assert names == {
        "index.html", "README.md", "table.tex", "table-more.tex", "methods.tex", "effects.csv",
        "runs.csv", "curves.csv", "examples.parquet", "study.json", "figures",
    }  # fmt: skip
    figures = sorted(path.name for path in (built / "figures").iterdir())
    kinds = [f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")]
    assert figures == sorted([*kinds, "differences.pdf"])
    printed = (built / "figures/differences.pdf").read_bytes()
    assert printed.count(b"/FontFile2") == printed.count(b"/Type /FontDescriptor") > 0
    assert b"Date" not in printed


def test_content_is_read_from_its_folder_as_it_was(built: Path) -> None:
    before, after = content(), read(built)
    for field in dataclasses.fields(Content):
        one, two = getattr(before, field.name), getattr(after, field.name)
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, two, check_exact=True, check_dtype=False)
        elif field.name == "tables":
            for name in one | two:
                pd.testing.assert_frame_equal(one[name], two[name], check_exact=True)
        elif field.name == "judged":
            pd.testing.assert_frame_equal(one.effects, two.effects, check_exact=True)
        else:
            assert one == two, field.name


@pytest.mark.parametrize("arm", ["NA", "", "0.10", "1e3", " padded ", "a\nb", '"', "None", "a,b"])
def test_any_name_survives_its_folder(arm: str, tmp_path: Path) -> None:
    from ablation.report.files import write

    frame = runs().replace({"arm": {"a|b": arm}})
    declared = declaration(arms=arms_named([*ARMS[:2], arm, *ARMS[3:]]))
    given = content(frame, declaration=declared)
    write(given, tmp_path)
    pd.testing.assert_frame_equal(read(tmp_path).runs, given.runs, check_dtype=False)
    pd.testing.assert_frame_equal(read(tmp_path).curves, given.curves, check_dtype=False)


def test_failed_runs_survive_their_folder(tmp_path: Path) -> None:
    from ablation.report.files import write

    frame = runs()
    frame.loc[3, ["value", "status", "reason"]] = [np.nan, "FAILED", "nan_loss"]
    write(content(frame), tmp_path)
    pd.testing.assert_frame_equal(read(tmp_path).runs, frame, check_dtype=False)


@pytest.mark.slow
def test_a_rebuild_from_the_folder_alone_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "s"
    shutil.copytree(built, copy)
    assert differing(copy) == []
    page = copy / "README.md"
    page.write_text(page.read_text().replace("better", "best"))
    (copy / "figures" / "seeds.svg").unlink()
    (copy / "figures" / "stray.svg").write_text("")
    assert differing(copy) == ["README.md", "figures/seeds.svg", "figures/stray.svg"]
    rebuild(copy)
    assert differing(copy) == []


@pytest.mark.slow
def test_a_rebuild_in_the_folder_itself_keeps_it(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "another name"
    shutil.copytree(built, copy)
    monkeypatch.chdir(copy)
    rebuild(Path())
    assert differing(copy) == []
    assert {path.name for path in copy.iterdir()} == {path.name for path in built.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]


@pytest.mark.parametrize("text", ["", "{", '{"format": 99}'])
def test_a_folder_without_a_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(Refused, match=r"study\.json"):
        read(tmp_path)


def test_names_are_text_in_html(built: Path) -> None:
    page = (built / "index.html").read_text()
    seen = Texts(page)
    assert seen.tags.count("script") == 1
    said = "".join(seen.said)
    for name in NASTY:
        assert said.count(name) > 4
    assert set(re.findall(r"\{\{.*?\}\}", said)) == {"{{7*7}}"}
    assert not re.search(r"(src|href)=\"(?!#|data:|http://127|[\w.-]+\")", page)
    assert "<img" not in page
    assert len(page.encode()) < 1_500_000


def test_names_are_text_in_markdown(built: Path) -> None:
    text = (built / "README.md").read_text()
    assert "<script>" not in text
    assert r"a\|b" in text
    assert "{{7\\*7}}" in text
    assert r"\$\\alpha\$\_%" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    heads = [i for i, line in enumerate(rows) if set(line) <= set("|:- ")]
    for head, end in zip(heads, [*(i - 1 for i in heads[1:]), len(rows)], strict=True):
        width = rows[head].count("|")
        assert all(r.replace(r"\|", "").count("|") == width for r in rows[head - 1 : end])


@pytest.mark.parametrize("sign", list("\\`*_[]#|~$"))
def test_every_sign_of_markdown_is_escaped(sign: str) -> None:
    assert markdown.escape(f"a{sign}b") == f"a\\{sign}b"


def test_html_and_markdown_say_the_same(built: Path) -> None:
    """Both are made from the same sections: no paragraph or cell is in one alone."""
    page = compose(Basis(content()))
    said = " ".join("".join(Texts((built / "index.html").read_text()).said).split())
    text = (built / "README.md").read_text()
    assert [part.heading for part in page.sections] == [
        "", "In words", "Intervals and p values", "Checks", "How it was computed",
        "Seeds across arms", "Learning curves", "Probes", "Failures", "Other metrics and cost",
        "Arm or seed", "Numerics", "Sensitivity", "Caveats", "Runs", "Provenance",
    ]  # fmt: skip
    tables = [each for part in page.sections for each in part.blocks if isinstance(each, Table)]
    for block in tables:
        for cell in (cell for row in block.rows for cell in row):
            assert " ".join(cell.text.split()) in said
            assert markdown.escape(cell.text) in text
    for what in (page.title, page.question, *page.answer):
        assert what in said
        assert markdown.escape(what) in text


def test_every_sign_of_latex_is_escaped() -> None:
    shown = latex.render(table(["a"], [[Cell(r"\{}$&#%_^~<>|")]]))
    body = re.sub(r"\\[a-zA-Z]+(\{\}|(?= ))|\\[{}$&#%_]|\\\\", "", shown.splitlines()[7])
    assert "".join(body.split()) == "{}"


@pytest.mark.skipif(
    not (shutil.which("pdflatex") or shutil.which("tectonic")),
    reason="neither pdflatex nor tectonic is installed",
)
def test_the_table_compiles(built: Path, tmp_path: Path) -> None:
    for name in ("table.tex", "table-more.tex", "methods.tex"):
        shutil.copy(built / name, tmp_path)
    hostile = ["中文🙂", "α=0.5 ŀ", "\x00\u202e", "[x]", "_" * 90, "Żółć", "\\end{a}", "m" * 60]
    cells = [[Cell(name), Cell("equivalent"), Cell("−1")] for name in hostile]
    (tmp_path / "hostile.tex").write_text(latex.render(table(["arm", "b", "c"], cells)))
    (tmp_path / "page.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}"
        "\\setlength{\\parindent}{0pt}\\setlength{\\columnwidth}{219pt}\\hsize=219pt"
        "\\begin{document}\\input{table}\n\n\\input{table-more}\n\n\\input{hostile}"
        "\n\n\\input{methods}\n\n" + latex.paragraph(" ".join(hostile)) + "\\end{document}"
    )
    program = (
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error"]
        if shutil.which("pdflatex")
        else ["tectonic"]
    )
    done = subprocess.run(
        [*program, "page.tex"], cwd=tmp_path, capture_output=True, text=True, check=False,
        errors="replace",  # it cuts the lines that it prints of a paragraph, even within a letter
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "page.pdf").exists()
    assert "Overfull" not in done.stdout


def test_the_methods_say_how_it_was_judged() -> None:
    """Each fact of the declaration is in the paragraph, and each work it cites in a comment."""
    looks = (Look(4, 0.02), Look(8, 0.03))
    welch = {"paired": False, "margin": None, "scope": "this_split", "metric": "loss"}
    texts = [
        methods(Basis(content(frame, declaration=declaration(**given))))
        for frame, given in ((runs(), {"looks": looks}), (runs("loss"), welch))
    ]
    one, two = texts
    for said in ("4 arms", "1,000 test examples", "n = 4 to 8 seeds", "margin of 2 points",
                 "rate of 0.05", "Looks at 4, 8 seeds spend 0.02, 0.03",
                 r"counts as one with accuracy 30 \%", "paired t tests", "commit c0ffee",
                 "device cpu"):  # fmt: skip
        assert said in one, one
    for said in ("n = 8 seeds", "Welch"):
        assert said in two, two
    for text in texts:
        body, comments = text.split("par}\n")
        for name in ("Cochran", "Holm", "Schuirmann", "Welch"):
            assert (f"({name}, " in body) == (f"% {name}, " in comments)
    assert "margin" not in two
    assert "Cochran" not in two


def test_what_weakens_the_answer_stands_above_it() -> None:
    frame = runs()
    frame.loc[(frame["arm"] == "base") & (frame["seed"] == 0), ["value", "status", "reason"]] = [
        np.nan, "FAILED", "nan_loss",
    ]  # fmt: skip
    given = content(
        frame,
        declared={"abc": {"date": "2026", "runs_seen": 7}},
        environments=[{"commit": "a"}, {"commit": "b"}],
        declaration=declaration(margin=None),
    )
    warnings = " ".join(compose(Basis(given)).warnings)
    assert "baseline itself failed on 1 of 8 seeds" in warnings
    assert "7 runs had been seen" in warnings
    assert "more than one commit" in warnings
    assert "No margin is declared" in warnings


def test_a_study_without_curves_has_no_section_for_them() -> None:
    given = content(curves=content().curves.head(0), tables={})
    headings = [part.heading for part in compose(Basis(given)).sections]
    assert not {"Learning curves", "Probes", "Numerics"} & set(headings)


def test_a_curve_of_failed_runs_ends_at_its_last_finite_value() -> None:
    frame = runs()
    frame.loc[frame["seed"] == 0, "status"] = "FAILED"
    frame.loc[frame["seed"] == 0, "value"] = np.nan
    given = content(frame)
    basis = Basis(given)
    assert set(basis.cut_short["seed"]) == {0}
    assert set(basis.cut_short.loc[basis.cut_short["last"], "epoch"]) == {3}
    assert set(basis.bands["n"]) == {7}


def test_each_table_of_a_studys_own_has_a_section_and_survives_its_folder(tmp_path: Path) -> None:
    from ablation.report.files import write

    lengths = pd.DataFrame({"words": [1, 2], "texts": [7, 0]})
    given = content(tables={"numerics": content().tables["numerics"], "lengths": lengths})
    headings = [part.heading for part in compose(Basis(given)).sections]
    place = headings.index("Numerics")
    assert headings[place : place + 3] == ["Numerics", "Lengths", "Sensitivity"]
    write(given, tmp_path)
    assert list(read(tmp_path).tables) == ["numerics", "lengths"]
    pd.testing.assert_frame_equal(read(tmp_path).tables["lengths"], lengths)
    for taken in ("runs", "record"):
        with pytest.raises(ValueError, match=f"does not use; got \\['{taken}'\\]"):
            write(content(tables={taken: lengths}), tmp_path)


def test_a_worker_is_sent_the_rows_of_its_figure_alone_and_draws_the_same() -> None:
    short, long = (
        {figure.name: pickle.dumps(figure.draw) for figure in compose(Basis(given)).figures}
        for given in (content(), content(curves=curves(runs(), epochs=30)))
    )
    grown = {name for name, sent in long.items() if len(sent) > len(short[name])}
    assert grown == {"curves", "probes"}
    for figure in compose(Basis(content())).figures:
        there = pickle.loads(short[figure.name])()
        assert svg(there, figure.name) == svg(figure.draw(), figure.name)


def test_figures_are_begun_while_other_parts_are_computed() -> None:
    basis, begun = Basis(content()), []
    page = compose(basis, lambda figure: begun.append((figure.name, "bands" in vars(basis))))
    assert [name for name, _ in begun] == [figure.name for figure in page.figures]
    assert begun[0] == ("differences", False)  # the bands are computed for the curves
    assert ("curves", True) in begun


@pytest.mark.slow
def test_a_page_with_all_its_figures_inside_is_light(tmp_path: Path) -> None:
    """At most 1.5 MB, however many runs a sample has; the smallest is built anew for it."""
    weights = {page.parent: page.stat().st_size for page in SAMPLES.glob("*/index.html")}
    smallest = min(weights, key=weights.__getitem__)
    folder = build(read(smallest), tmp_path)
    page = (folder / "index.html").read_text()
    assert page.count("<svg") >= len(list((folder / "figures").glob("*.svg"))) > 0
    assert "<img" not in page
    assert len(page.encode()) <= 500_000
    assert max(weights.values()) <= 1_500_000
