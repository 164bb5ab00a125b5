"""Writes the studies' part of the project's README: one figure, and a table with the answers.

The answers are those of the committed reports in ``docs/samples``; run it by ``make readme``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ablation.records.declaration import Declaration
from ablation.report.files import summary
from ablation.report.index import answer_of
from ablation.report.render.markdown import escape
from ablation.study.load import known_studies, load

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- studies: written by make readme -->", "<!-- end of studies -->"


def block(root: Path = ROOT) -> str:
    """Returns what stands between the two marks of the README."""
    samples = root / "docs/samples"
    lines = []
    if (samples / "figures/overview.png").exists():
        lines += [
            "![The effects of all studies on one scale](docs/samples/figures/overview.png)",
            "",
        ]
    lines += ["| study | it asks | on the built-in corpus |", "|:--|:--|:--|"]
    for name in known_studies(root / "studies"):
        folder = samples / name
        said = "not reported yet"
        if (folder / "study.json").exists():
            answer = answer_of(folder, Declaration.from_json(summary(folder)["declaration"]))
            said = f"[{escape(answer)}](docs/samples/{name}/README.md)"
        lines.append(f"| `{name}` | {load(name, root / 'studies').question} | {said} |")
    return "\n".join(lines)


def replaced(text: str, root: Path = ROOT) -> str:
    """Returns a README's text with the part between the marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block(root)}\n{END}{after}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(replaced(readme.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{readme} is up to date.\n")
