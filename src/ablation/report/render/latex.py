"""The verdict table as LaTeX: a tabular of booktabs, for a document to read in."""

from __future__ import annotations

from ablation.report.blocks import Table

SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": r"$-$", "–": "--", "·": r"\textperiodcentered{}", "…": r"\dots{}", "±": r"$\pm$",
    "≤": r"$\leq$", "≥": r"$\geq$", "×": r"$\times$", "→": r"$\rightarrow$",
    "`": r"\textasciigrave{}", "-": "{-}",
}  # fmt: skip

HEAD = (
    "% \\usepackage[T1]{fontenc} and \\usepackage{booktabs}; names beyond Latin letters take "
    "xelatex or lualatex.\n"
)


def escape(text: str) -> str:
    """Escapes text so that LaTeX sets it as it is."""
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(text.split()))


def render(table: Table) -> str:
    """Returns the table as a tabular."""
    sides = "".join("r" if i in table.numeric else "l" for i in range(len(table.columns)))
    lines = [" & ".join(escape(name) for name in table.columns)]
    lines += [" & ".join(escape(cell.text) for cell in row) for row in table.rows]
    # An empty group first: a row that begins with [ would else be read as a length.
    head, *body = [f"{{}}{line} \\\\" for line in lines]
    rows = "\n".join(body)
    return (
        f"{HEAD}\\begin{{tabular}}{{@{{}}{sides}@{{}}}}\n\\toprule\n{head}\n\\midrule\n{rows}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )
