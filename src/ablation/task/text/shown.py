"""The few test texts whose attention weights every run keeps, the same in all arms and seeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from ablation.task.text.config import RunConfig
from ablation.task.text.data import Encoded

TEXTS = 64
"""Texts; at 2 bytes a token they take 8 KB a run at most."""
TOKENS = 64
"""First tokens of a text that are kept."""
QUOTED = 24
"""First tokens of a test text that a report quotes."""
MOST_QUOTED = 10_000
"""Test texts that are kept to be quoted, the first ones: with their classes, 0.7 MB a study."""
UNKNOWN = "·"
"""Stands for a token that is not in the vocabulary."""

NAMED = {"docstrings": "docstrings of Python's standard library"}
"""Source to what it is called on a page."""

_FACTOR, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def shown_texts(
    tokens: Int[np.ndarray, " total"], offsets: Int[np.ndarray, " texts_1"]
) -> Int[np.ndarray, " few"]:
    """Returns the places of the texts with the smallest hash, in ascending order.

    Args:
        tokens: Token ids of all texts, one after the other.
        offsets: Where each text starts, and the end of the last.
    """
    # By content and not by place, so that the choice of a text does not depend on its neighbours.
    starts = np.asarray(offsets[:-1])
    place = (np.arange(len(tokens)) - starts.repeat(np.diff(offsets))).astype(np.uint64)
    mixed = (np.asarray(tokens).astype(np.uint64) + np.uint64(1)) * _FACTOR ^ place * _STEP
    hashes = np.add.reduceat(mixed * (mixed >> np.uint64(29) | np.uint64(1)), starts)
    return np.sort(np.argsort(hashes, kind="stable")[:TEXTS])


def about(config: RunConfig, data: Encoded) -> Mapping[str, Any]:
    """Returns the facts about model and data, as pairs of name and value, and the shown texts.

    Each text has ``place``, its number in test; ``label``; ``words``, its first tokens.

    Args:
        config: The baseline's configuration.
        data: Its data.
    """
    rows = " / ".join(f"{data.rows[split]:,}" for split in ("train", "validation", "test"))
    known, test = _words(data), data.split("test")
    texts = [
        {
            "place": int(place),
            "label": data.labels[int(test.labels[place])],
            "words": [
                known.get(int(token), UNKNOWN)
                for token in test.tokens[test.offsets[place] : test.offsets[place + 1]][:TOKENS]
            ],
        }
        for place in shown_texts(test.tokens, test.offsets)
    ]
    facts = [
        ("data", NAMED.get(data.source, data.source)),
        ("train / validation / test", rows),
        ("classes", str(len(data.labels))),
        ("tokens", data.tokenizer),
        *_told(data),
        ("baseline model", model_line(config)),
    ]
    return {"facts": facts, "texts": texts}


def _told(data: Encoded) -> list[tuple[str, str]]:
    """Returns script and splits, as far as the data's notes tell them."""
    notes = " ".join(data.notes)
    script = re.search(r"Script: (.+?)(?: \(|;)", notes)
    taken = re.findall(r"(\w+) [\d,]+ \(taken from train\)", notes)
    told = [("script", script[1])] if script else []
    how = f"{' and '.join(taken)}, by a hash of the text"
    return told + ([("split off from train", how)] if taken else [])


def model_line(config: RunConfig) -> str:
    """Returns a model and its training in a line.

    >>> model_line(RunConfig())
    'cnn encoder, attention pooling, width 64; 16 epochs in batches of 64'
    """
    model, train = config.model, config.train
    encoder = "no encoder" if model.encoder == "none" else f"{model.encoder} encoder"
    parts = [encoder, f"{model.pooling} pooling", f"width {model.hidden_size}"]
    if model.kind == "hierarchical":
        parts[1:2] = [
            f"{model.word_pooling} pooling of words",
            f"{model.sentence_encoder} encoder",
        ]
        parts.insert(-1, f"{model.pooling} pooling of sentences")
    return f"{', '.join(parts)}; {train.epochs} epochs in batches of {train.batch_size}"


def describe_tests(data: Encoded) -> Mapping[str, Sequence[str]]:
    """Returns class and text of every test text; a text that is not kept is empty."""
    known, test = _words(data), data.split("test")
    space = "" if data.tokenizer == "characters" else " "
    tokens, offsets = test.tokens, test.offsets.tolist()
    texts = [
        space.join(known.get(token, UNKNOWN) for token in tokens[start:stop][:QUOTED].tolist())
        + (" …" if stop - start > QUOTED else "")
        for start, stop in itertools.pairwise(offsets[: MOST_QUOTED + 1])
    ]
    return {
        "class": [data.labels[label] for label in test.labels.tolist()],
        "text": texts + [""] * (len(offsets) - 1 - len(texts)),
    }


def _words(data: Encoded) -> dict[int, str]:
    """Returns id to token."""
    return {place: token for token, place in data.vocabulary().items()}
