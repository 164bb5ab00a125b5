"""Derives the arms of a study from its factors and a design."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Literal, get_args

from ablation.errors import Refused, nearest

Design = Literal["one_at_a_time", "leave_one_out", "add_one_in", "factorial", "fractional"]
Factors = Mapping[str, Sequence[Any]]
"""Dotted path to levels; the first level of each factor is the baseline's."""

Cell = tuple[int, ...]
"""A combination: the place of each factor's level."""

MOST_ARMS = 512
"""Arms above which a factorial is refused."""

GENERATORS: Mapping[int, Sequence[str]] = {
    4: ("ABC",),
    5: ("ABCD",),
    6: ("ABC", "BCD"),
    7: ("ABC", "BCD", "ACD"),
    8: ("BCD", "ACD", "ABC", "ABD"),
    9: ("BCDE", "ACDE", "ABDE", "ABCE"),
    10: ("ABCD", "ABCE", "ABDE", "ACDE", "BCDE"),
    11: ("ABC", "BCD", "CDE", "ACD", "ADE", "BDE"),
}
"""Number of two-level factors to the generators of those beyond the first: the smallest fractions
of resolution IV or more (Box, Hunter and Hunter 2005, Statistics for Experimenters, table
6.22)."""


def arms_of(factors: Factors, design: Design | Sequence[Design]) -> dict[str, dict[str, Any]]:
    """Returns arm name to the paths that the arm sets, the baseline first.

    Several designs are united; an arm that they share is there once.

    Args:
        factors: Path to levels, as the configuration stores them.
        design: One design, or several.

    Raises:
        Refused: If a design is unknown or does not fit the factors.

    >>> given = {"model.attention.init_std": (0.05, 0.5), "model.pooling": ("attention", "mean")}
    >>> list(arms_of(given, "factorial"))[-1]
    'init_std 0.5 · mean'
    """
    designs = [design] if isinstance(design, str) else list(design)
    _check(factors, designs)
    designs.sort(key=list(_CELLS).index)  # so that the baseline has every component if an arm does
    found: dict[Cell, str] = {}
    for each in designs:
        for cell in _CELLS[each](factors):
            found.setdefault(cell, _name(each, cell, factors))
    names = list(found.values())
    if len(set(names)) < len(names):  # such as a component that is called "all"
        names = [_levels_named(cell, factors) for cell in found]
    if len(set(names)) < len(names):  # such as the levels 0.5 and "rate 0.5"
        doubled = next(name for name in names if names.count(name) > 1)
        raise Refused(
            f"Two arms are both named {doubled!r}.", "Give one of their levels another text."
        )
    return {
        name: {
            path: levels[place]
            for (path, levels), place in zip(factors.items(), cell, strict=True)
        }
        for name, cell in zip(names, found, strict=True)
    }


def short(path: str, paths: Sequence[str]) -> str:
    """Returns the last part of a path, or the path itself if another ends in the same.

    >>> short("model.pooling", ["model.pooling", "train.epochs"])
    'pooling'
    """
    last = path.rpartition(".")[2]
    return path if [each.rpartition(".")[2] for each in paths].count(last) > 1 else last


def level_name(level: Any) -> str:
    """Returns the name of a level: a string as it is, any other value by its repr."""
    return level if isinstance(level, str) else repr(level)


def _one_at_a_time(factors: Factors) -> Iterator[Cell]:
    base = (0,) * len(factors)
    yield base
    for place, levels in enumerate(factors.values()):
        for level in range(1, len(levels)):
            yield (*base[:place], level, *base[place + 1 :])


def _add_one_in(factors: Factors) -> Iterator[Cell]:
    """Yields none of the components, then each alone."""
    for cell in _one_at_a_time(factors):
        yield tuple(1 - level for level in cell)


def _factorial(factors: Factors) -> Iterator[Cell]:
    yield from product(*(range(len(levels)) for levels in factors.values()))


def _fractional(factors: Factors) -> Iterator[Cell]:
    words = GENERATORS[len(factors)]
    for cell in product((0, 1), repeat=len(factors) - len(words)):
        # An even number of second levels among a word's factors gives the first level.
        yield (*cell, *(sum(cell["ABCDE".index(factor)] for factor in word) % 2 for word in words))


_CELLS: Mapping[str, Callable[[Factors], Iterator[Cell]]] = {
    "one_at_a_time": _one_at_a_time,
    "leave_one_out": _one_at_a_time,  # of two-level factors: in, and out
    "add_one_in": _add_one_in,
    "factorial": _factorial,
    "fractional": _fractional,
}


def _name(design: str, cell: Cell, factors: Factors) -> str:
    if design in {"factorial", "fractional"} or (design == "one_at_a_time" and not any(cell)):
        return _levels_named(cell, factors)
    paths = list(factors)
    usual = 1 if design == "add_one_in" else 0
    changed = next((place for place, level in enumerate(cell) if level != usual), None)
    if changed is None:
        return "none" if design == "add_one_in" else "all"
    if design == "one_at_a_time":
        return _level_named(paths[changed], cell[changed], factors)
    name = short(paths[changed], paths)
    return f"only {name}" if design == "add_one_in" else f"without {name}"


def _levels_named(cell: Cell, factors: Factors) -> str:
    named = (_level_named(path, level, factors) for path, level in zip(factors, cell, strict=True))
    return " · ".join(named)


def _level_named(path: str, place: int, factors: Factors) -> str:
    """Returns ``init_std 0.5``, or a string that only one factor has as a level as it is."""
    level = factors[path][place]
    alone = sum(level in levels for levels in factors.values()) == 1
    if isinstance(level, str) and alone:
        return level
    return f"{short(path, list(factors))} {level_name(level)}"


def _check(factors: Factors, designs: Sequence[str]) -> None:
    known = get_args(Design)
    for design in designs:
        if design not in known:
            raise Refused(
                f"No design {design!r}.{nearest(str(design), known)}",
                f"Designs: {', '.join(known)}.",
            )
        _check_levels(factors, design)
    if not designs:
        raise Refused("A study with factors needs a design.", f"Designs: {', '.join(known)}.")


def _check_levels(factors: Factors, design: str) -> None:
    sizes = [len(levels) for levels in factors.values()]
    if min(sizes) < 2:  # noqa: PLR2004 - a factor varies
        raise Refused(f"Each factor has at least 2 levels; got {sizes}.", "Give more, or drop it.")
    if design in {"leave_one_out", "add_one_in", "fractional"} and max(sizes) > 2:  # noqa: PLR2004 - in or out
        raise Refused(
            f"The design {design!r} takes factors of 2 levels; got {sizes}.",
            "Give two levels each (with and without), or another design.",
        )
    if design == "fractional" and len(sizes) not in GENERATORS:
        raise Refused(
            f"A fraction of resolution IV has {min(GENERATORS)} to {max(GENERATORS)} factors; got "
            f"{len(sizes)}.",
            "Take the design 'factorial', or other factors.",
        )
    if design == "factorial" and prod(sizes) > MOST_ARMS:
        raise Refused(
            f"The factorial has {prod(sizes)} arms; the most is {MOST_ARMS}.",
            "Take the design 'fractional' or 'one_at_a_time', or fewer levels.",
        )
