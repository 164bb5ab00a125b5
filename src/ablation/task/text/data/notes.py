"""Tells in words what was read, and warns where data may be read otherwise than meant."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ablation.records.metric import percent
from ablation.task.text.data.encoded import UNKNOWN, Split
from ablation.task.text.data.source import Source
from ablation.task.text.data.splits import Rows, same

CLASSES = 8
"""Classes that are told with their rows."""
SAMPLE = 2000
"""Texts of train by which the script is told."""
RARE = 0.01
"""Share of the rows below which a class is too rare for its score to say much."""
QUOTED = 0.01
"""Share of texts with odd quotes from which a warning is worth reading."""


def normalise(given: Mapping[str, Rows]) -> tuple[dict[str, Rows], str]:
    """Returns the splits, in Unicode's form NFC where their forms differ, and a sentence on it.

    An accent is one sign in one form and two in another, so that words of test would be unknown.
    Where all splits have decomposed texts, they are left as they are.
    """
    counts = {name: sum(_differs(text) for text in rows.texts) for name, rows in given.items()}
    if all(counts.values()) or not any(counts.values()):
        return dict(given), ""
    texts = ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
    composed = {
        name: Rows([unicodedata.normalize("NFC", text) for text in rows.texts], rows.labels)
        for name, rows in given.items()
    }
    return composed, f"Accents are written in two ways; made one (NFC) in the texts: {texts}."


def _differs(text: str) -> bool:
    return not text.isascii() and not unicodedata.is_normalized("NFC", text)


def describe(
    source: Source,
    given: Mapping[str, Rows],
    splits: Mapping[str, Rows],
    arrays: Mapping[str, Split],
    kind: str,
) -> list[str]:
    """Returns three sentences: files and rows, classes, script and unknown tokens.

    Args:
        source: Where the rows were read from.
        given: The splits of the source.
        splits: Train, validation and test.
        arrays: The same, encoded.
        kind: Tokenisation: ``words`` or ``characters``.
    """
    rows = ", ".join(
        f"{name} {len(each):,}{_origin(source, given, name)}" for name, each in splits.items()
    )
    ignored = f"; not read: {', '.join(source.ignored[:CLASSES])}" if source.ignored else ""
    unknown = float((arrays["test"].tokens == UNKNOWN).mean())
    script = _script(splits["train"].texts[:SAMPLE])
    return [
        f"Rows of {source.name}: {rows}{ignored}.",
        f"Rows by class (train, validation, test): {_classes(splits)}.",
        f"Script: {script}; tokens are {kind}, {percent(unknown, 1)} of those in test are "
        "unknown.",
    ]


def _origin(source: Source, given: Mapping[str, Rows], name: str) -> str:
    if name not in given:
        return " (taken from train)"
    files = source.files.get(name, ())
    if not files:
        return ""
    return f" ({files[0].name})" if len(files) == 1 else f" ({len(files)} files)"


def _classes(splits: Mapping[str, Rows]) -> str:
    counts = {name: Counter(rows.labels) for name, rows in splits.items()}
    labels = sorted(counts["train"], key=lambda label: -counts["train"][label])
    shown = [
        f"{label!r} {'/'.join(str(each[label]) for each in counts.values())}"
        for label in labels[:CLASSES]
    ]
    more = len(labels) - CLASSES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _script(texts: Sequence[str]) -> str:
    """Returns the commonest script of some texts with its share of the letters."""
    signs = Counter(sign for text in texts for sign in text if sign.isalpha())
    scripts: Counter[str] = Counter()
    for sign, count in signs.items():
        scripts[unicodedata.name(sign, "UNKNOWN").split()[0].split("-")[0].capitalize()] += count
    if not scripts:
        return "no letters"
    [(name, count)] = scripts.most_common(1)
    return f"{name} ({percent(count / scripts.total())} of the letters)"


def warnings(given: Mapping[str, Rows], splits: Mapping[str, Rows]) -> Iterator[str]:
    """Yields warnings about the data, with counts.

    Args:
        given: The splits of the source.
        splits: Train, validation and test.
    """
    yield from _overlaps(given)
    yield from _spellings(splits["train"])
    yield from _missing(splits)
    yield from _rare(splits)
    yield from _quotes(splits)


def _overlaps(given: Mapping[str, Rows]) -> Iterator[str]:
    """Yields how many texts of a split are in another; those that we divide never are."""
    known = {name: {same(text) for text in rows.texts} for name, rows in given.items()}
    for one, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        if one in given and other in given:
            count = sum(same(text) in known[other] for text in given[one].texts)
            if count:
                share = count / len(given[one])
                yield (
                    f"{count} of {len(given[one])} texts of {one} ({percent(share)}) are in "
                    f"{other}, too: what is learned by heart there counts as right."
                )


def _spellings(train: Rows) -> Iterator[str]:
    spellings: dict[str, Counter[str]] = {}
    for label in train.labels:
        key = same(unicodedata.normalize("NFC", label))
        spellings.setdefault(key, Counter())[label] += 1
    for counts in spellings.values():
        if len(counts) > 1:
            shown = ", ".join(f"{label!r} ({count} rows)" for label, count in counts.items())
            yield f"Classes differ only by case, space or accents, and are kept apart: {shown}."


def _missing(splits: Mapping[str, Rows]) -> Iterator[str]:
    known = set(splits["train"].labels)
    for name, rows in splits.items():
        absent = sorted(known - set(rows.labels))
        if absent:
            shown = ", ".join(map(repr, absent[:CLASSES]))
            more = " and others" if len(absent) > CLASSES else ""
            yield f"{name} has no row of {len(absent)} of {len(known)} classes: {shown}{more}."


def _rare(splits: Mapping[str, Rows]) -> Iterator[str]:
    """Yields the classes with fewer than 1 % of the rows of train, the rarest first."""
    counts = Counter(splits["train"].labels)
    rare = [name for name in sorted(counts, key=lambda name: (counts[name], name))
            if counts[name] < RARE * counts.total()]  # fmt: skip
    if rare:
        shown = ", ".join(f"{name!r} ({counts[name]})" for name in rare[:CLASSES])
        more = f" and {len(rare) - CLASSES} more" if len(rare) > CLASSES else ""
        yield (
            f"{len(rare)} of {len(counts)} classes have less than {percent(RARE)} of the "
            f"{counts.total()} rows of train each: {shown}{more}. Their share of a macro mean "
            "rests on few texts."
        )


def _quotes(splits: Mapping[str, Rows]) -> Iterator[str]:
    """Yields how many texts look like more, or less, than a text of their file."""
    texts = [text for rows in splits.values() for text in rows.texts]
    classes = set(splits["train"].labels)
    escaped = sum('\\"' in text for text in texts)
    swallowed = sum(_holds_rows(text, classes) for text in texts)
    wrapped = sum(len(text) > 1 and text[0] == text[-1] == '"' for text in texts)
    for count, what in (
        (escaped, "hold a backslash before a quote"),
        (swallowed, "hold a line that ends in a class, as where a quote swallows the next rows"),
        (wrapped, "begin and end with a quote, as where quotes are read as text"),
    ):
        if count >= max(1, QUOTED * len(texts)):
            yield f"{count} of {len(texts)} texts {what}: see whether the file is read as meant."


def _holds_rows(text: str, classes: set[str]) -> bool:
    """Returns whether a line of a text ends in a comma or tab and a class."""
    if "\n" not in text:
        return False
    ends = (re.split(r"[,\t]", line) for line in text.split("\n"))
    return any(len(parts) > 1 and parts[-1].strip('" ') in classes for parts in ends)
