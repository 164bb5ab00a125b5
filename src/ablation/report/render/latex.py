"""Tables as LaTeX for a paper: tabulars that fit a column and compile with pdflatex."""

from __future__ import annotations

import re
import unicodedata

from ablation.report.blocks import Cell, Table

SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": r"$-$", "–": "--", "·": r"\textperiodcentered{}", "…": r"\dots{}", "±": r"$\pm$",
    "≤": r"$\leq$", "≥": r"$\geq$", "×": r"$\times$", "→": r"$\rightarrow$",
    "`": r"\textasciigrave{}", "-": "{-}",
    "†": r"\textdagger{}",
}  # fmt: skip
GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
    "omega",
}  # fmt: skip
LATIN = frozenset(map(chr, range(0xC0, 0x180))) - frozenset("×÷ĦħĸĿŀŉŦŧſ")
"""Letters that the encoding T1 has."""

SIGN = r"""\providecommand{\ablationsign}[2]{\ifdefined\Umathcode#1\else\texttt{#2}\allowbreak\fi}
"""
"""The command sets a sign where the program has all of Unicode, and else names it."""
HEAD = rf"""% Needs \usepackage[T1]{{fontenc}} and \usepackage{{booktabs}}.
{SIGN}"""

NAME = 48
"""Points of the first column: two columns of a conference's page are 219 points wide each."""
PIECE = 5
"""Letters of a long name without a space or sign after which a line may end."""
WHOLE = 10
"""Widths of a digit up to which a piece of a name is left whole; 11 fill the first column."""
LONG = 15
"""Letters of a word up to which LaTeX finds by itself where it may be divided."""


def escape(text: str) -> str:
    """Escapes text so that LaTeX sets it as it is."""
    return "".join(map(_sign, " ".join(text.split())))


def _sign(sign: str) -> str:
    """Returns one sign as LaTeX; one that pdflatex lacks is named by its number there."""
    if sign in SIGNS or (sign.isascii() and sign.isprintable()) or sign in LATIN:
        return SIGNS.get(sign, sign)
    letter = unicodedata.name(sign, "").removeprefix("GREEK SMALL LETTER ").lower()
    if letter in GREEK:
        return f"$\\{letter}$"
    shown = sign if sign.isprintable() else ""
    return f"\\ablationsign{{{shown}}}{{U+{ord(sign):04X}}}"


def _breaking(word: str) -> str:
    """Returns a word within which a line may end."""
    return "\\allowbreak{}".join(map(escape, pieces_of(word)))


def pieces_of(word: str) -> list[str]:
    """Returns the pieces of a word between which a line may end: at its signs, where it has any.

    >>> pieces_of("Constant(0.1)"), pieces_of("attention_over_states"), pieces_of("abcdefghijkl")
    (['Constant', '(0.1)'], ['attention_', 'over_', 'states'], ['abcde', 'fghij', 'kl'])
    """
    pieces: list[str] = []
    for part in re.findall(r"\d+(?:\.\d+)*|[^\W\d_]+|.", word, re.DOTALL):
        is_apart = not pieces or part in "([{" or pieces[-1][-1] in "_-/,=+:)]}"
        if is_apart or _width(pieces[-1] + part) > WHOLE:
            few = [part] if _width(part) <= WHOLE else _cut(part)
            pieces += few
        else:
            pieces[-1] += part
    return pieces


def _cut(word: str) -> list[str]:
    return [word[at : at + PIECE] for at in range(0, len(word), PIECE)]


def _width(text: str) -> int:
    """Returns about how many digits are as wide as a text."""
    return len(text) + sum(sign in "mwMW" or not sign.isascii() for sign in text)


def _name(cell: Cell) -> str:
    """Returns a name for the first column, which may break within a long word."""
    return f"\\raggedright {' '.join(map(_breaking, cell.text.split()))}"


def paragraph(text: str) -> str:
    """Returns a paragraph that fits a column, whatever words it holds."""
    words = (escape(word) if len(word) <= LONG else _breaking(word) for word in text.split())
    return f"{{\\sloppy {' '.join(words)}\\par}}"


def render(table: Table) -> str:
    """Returns the table as a tabular; the first column holds names."""
    sides = "".join("r" if i in table.numeric else "l" for i in range(1, len(table.columns)))
    named, *others = table.columns
    lines = [" & ".join([f"\\raggedright {escape(named)}", *map(escape, others)])]
    for first, *rest in table.rows:
        lines.append(" & ".join([_name(first), *(escape(cell.text) for cell in rest)]))
    # An empty group first: a row that begins with [ would else be read as a length.
    head, *body = [f"{{}}{line} \\\\" for line in lines]
    rows = "\n".join(body)
    return (
        f"{HEAD}{{\\footnotesize\\setlength{{\\tabcolsep}}{{3pt}}%\n"
        f"\\begin{{tabular}}{{@{{}}p{{{NAME}pt}}{sides}@{{}}}}\n\\toprule\n{head}\n\\midrule\n{rows}\n"
        "\\bottomrule\n\\end{tabular}}\n"
    )
