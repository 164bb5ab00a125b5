"""The attention weights that every run keeps of a few test texts, and the page made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.analysis.attention import disagreements
from ablation.task.text.config import DataConfig, RunConfig
from ablation.task.text.data import prepare
from ablation.task.text.shown import TEXTS, about, describe_tests, shown_texts


@given(st.integers(0, 2**32 - 1), st.integers(TEXTS + 1, 3 * TEXTS))
def test_texts_are_chosen_by_what_they_say_and_not_by_their_place(seed: int, rows: int) -> None:
    draw = np.random.default_rng(seed)
    texts = [draw.integers(1, 5000, draw.integers(1, 30)) for _ in range(rows)]
    chosen = []
    for order in (texts, [texts[place] for place in draw.permutation(rows)]):
        places = shown_texts(np.concatenate(order), np.cumsum([0, *map(len, order)]))
        assert len(places) == TEXTS
        assert (np.diff(places) > 0).all()
        chosen.append(sorted(order[place].tolist() for place in places.tolist()))
    assert chosen[0] == chosen[1]


def test_the_texts_on_which_arms_disagree_most_come_first() -> None:
    texts = [
        {"place": place, "label": label, "words": ["a"] * words}
        for place, (label, words) in enumerate([("near", 2), ("far", 3)])
    ]
    rows = [
        ("base", 0, [0.5, 0.5, 0.6, 0.4, 0.0]), ("base", 1, [0.5, 0.5, 0.8, 0.2, 0.0]),
        ("other", 0, [0.4, 0.6, 0.0, 0.0, 1.0]), ("lost", 0, [1.0]),
    ]  # fmt: skip
    frame = pd.DataFrame(
        [(arm, seed, np.array(weights, np.float16).tobytes()) for arm, seed, weights in rows],
        columns=["arm", "seed", "weights"],
    )
    bits = [("base", 0, b"\x40"), ("base", 1, b"\xc0"), ("other", 0, b"\x80")]
    examples = pd.DataFrame(bits, columns=["arm", "seed", "correct"])
    far, near = disagreements(frame, examples, texts, ["base", "other", "lost"])
    assert [far["label"], near["label"]] == ["far", "near"]
    base, other = far["arms"]
    assert base == {
        "arm": "base", "n": 2, "right": 2, "weights": [0.7, 0.3, 0.0],
        "spread": [0.141, 0.141, 0.0],
    }  # fmt: skip
    assert (other["n"], other["right"], other["weights"]) == (1, 0, [0.0, 0.0, 1.0])
    assert disagreements(frame[frame["arm"] == "base"], examples, texts, ["base"]) == []


def test_a_weight_that_is_no_number_is_none_of_the_page() -> None:
    frame = pd.DataFrame(
        [(arm, 0, np.array([np.nan], np.float16).tobytes()) for arm in "ab"],
        columns=["arm", "seed", "weights"],
    )
    empty = pd.DataFrame(columns=["arm", "seed", "correct"])
    (text,) = disagreements(frame, empty, [{"place": 0, "label": "", "words": ["x"]}], ["a", "b"])
    assert [row["weights"] for row in text["arms"]] == [[0.0], [0.0]]
    assert pytest.approx(0.0) == text["arms"][0]["spread"][0]


def test_a_report_names_the_splits_that_were_made_here_and_quotes_first_words(
    corpus: Path, tmp_path: Path
) -> None:
    config = RunConfig(data=DataConfig(source=str(corpus)))
    data = prepare(config.data, cache=tmp_path)
    facts = dict(about(config, data)["facts"])
    assert facts["split off from train"] == "validation, by a hash of the text"  # test has a file
    assert facts["script"] == "Latin"
    test, words = data.split("test"), {place: word for word, place in data.vocabulary().items()}
    told = describe_tests(data)
    assert told["class"] == [data.labels[label] for label in test.labels]
    for place in (0, len(told["text"]) - 1):
        tokens = test.tokens[test.offsets[place] : test.offsets[place + 1]]
        expected = [words.get(int(token), "·") for token in tokens]
        assert told["text"][place].split(" ") == expected
