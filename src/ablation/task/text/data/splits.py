"""Takes missing splits from train by hash, and refuses corpora that cannot be studied."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from ablation.errors import Refused
from ablation.task.text.data.encoded import SPLITS


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Texts and their classes, in the order of the source."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.texts)

    def take(self, indices: Iterable[int]) -> Rows:
        """Returns the rows at some indices, in the order given."""
        chosen = list(indices)
        return Rows([self.texts[i] for i in chosen], [self.labels[i] for i in chosen])


def same(text: str) -> str:
    """Returns a text without differences in case and spacing, for comparisons.

    >>> same("Two  Words") == same("two words")
    True
    """
    return " ".join(text.casefold().split())


def complete(
    given: dict[str, Rows], *, test_share: float, validation_share: float
) -> dict[str, Rows]:
    """Returns train, validation and test; takes missing splits from train by hash.

    Args:
        given: The splits of the source; at least train.
        test_share: Share of train that becomes test.
        validation_share: Share of the remaining train that becomes validation.
    """
    splits = dict(given)
    for name, share in (("test", test_share), ("validation", validation_share)):
        if name not in splits:
            splits["train"], splits[name] = divide(splits["train"], share)
    return {name: splits[name] for name in SPLITS}


def divide(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Divides rows in two by the hash of the text, class by class.

    All rows of the same text (:func:`same`) go to one side, under the class of the first of them.
    The second side takes the texts of each class with the lowest hashes, at least one and never
    all. The division depends neither on the order of different texts nor on random numbers.

    Returns:
        The remaining rows, and about ``share`` of each class.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(rows.texts):
        groups[same(text)].append(index)
    classes: dict[str, list[str]] = defaultdict(list)
    for key, members in groups.items():
        classes[rows.labels[members[0]]].append(key)
    taken: set[int] = set()
    for keys in classes.values():
        count = min(max(1, round(share * len(keys))), len(keys) - 1)
        taken.update(i for key in sorted(keys, key=_hash)[:count] for i in groups[key])
    stay = (index for index in range(len(rows)) if index not in taken)
    return rows.take(stay), rows.take(sorted(taken))


def check_splits(
    splits: dict[str, Rows], given: Mapping[str, Rows] | None = None, column: str = "label"
) -> tuple[str, ...]:
    """Returns the sorted classes of train.

    Args:
        splits: All splits.
        given: Those of the source; None if these are all.
        column: Name of the column of classes, for the message.

    Raises:
        Refused: If a split is empty, or train has only one class or lacks a class of another
            split.
    """
    for name, rows in splits.items():
        if not rows and (given is None or name in given):
            raise Refused(f"The split {name} is empty.", "Give every split at least one row.")
        if not rows:
            raise _too_few(name, given, column)
    known = sorted(set(splits["train"].labels))
    if len(known) == 1:
        raise Refused(
            f"All rows of train have one class: {known[0]!r}.",
            "Give at least two classes, or name another column: LABEL=... (--label).",
        )
    for name, rows in splits.items():
        new = sorted(set(rows.labels) - set(known))
        if new:
            hidden = " (hidden labels?)" if new == ["-1"] else ""
            raise Refused(
                f"The split {name} has a class that train lacks: {new[0]!r}{hidden}.",
                f"Add rows of that class to train, or leave {name} out to take it from train.",
            )
    return tuple(known)


def _too_few(name: str, given: Mapping[str, Rows] | None, column: str) -> Refused:
    """Returns the refusal of rows that leave none for a split, which is taken from train."""
    train = (given or {})["train"]
    classes = len(set(train.labels))
    said = f"The split {name} is empty: it is taken from train, whose {len(train)} rows have"
    if 2 * classes > len(train) and classes > 2:  # noqa: PLR2004 - two may be all there are
        return Refused(
            f"{said} {classes} classes in column {column!r}, hardly two of each.",
            "Name the column of classes: LABEL=... (--label).",
        )
    return Refused(
        f"{said} too few texts of each class.", f"Give more rows of train, or a file {name}."
    )


def fingerprint(splits: dict[str, Rows]) -> str:
    """Returns 12 hex digits of the content: split, text and class of every row, in order."""
    content = hashlib.sha256()
    for name, rows in splits.items():
        for row in zip(rows.texts, rows.labels, strict=True):
            for part in (name, *row):
                encoded = part.encode()
                # With its length, because ("ab", "c") and ("a", "bc") are different contents.
                content.update(len(encoded).to_bytes(8, "little") + encoded)
    return content.hexdigest()[:12]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
