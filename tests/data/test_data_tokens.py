"""Tokens: parity with a slow reading of the definition, and the vocabulary's rules."""

import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.task.text.config import DataConfig
from ablation.task.text.data.tokens import (
    _count,
    _split_any,
    _split_ascii,
    _tokenizer,
    _train,
    choose,
    encode_texts,
    learn,
)

# Categories whose standing as word, mark or space is the same in every Unicode version.
CHARACTERS = st.characters(categories=["L", "Mn", "Nd", "Pc", "Po", "Ps", "Sm", "Sc", "Zs"])
TEXTS = st.lists(st.text(st.one_of(CHARACTERS, st.sampled_from("ab \t\n\u3000")), max_size=12))


def words(text: str) -> list[str]:
    """Reference: lower case, then runs of letters, combining marks, digits and connectors."""
    found, run = [], ""
    for character in (low for c in text for low in c.lower()):
        kind = unicodedata.category(character)
        if kind[0] in "LM" or kind in ("Nd", "Pc"):
            run += character
            continue
        found += [run, "" if character.isspace() else character]
        run = ""
    return [token for token in [*found, run] if token]


def characters(text: str) -> list[str]:
    return [character for character in text if not character.isspace()]


def reference(
    train: list[str], texts: list[str], kind: str, config: DataConfig
) -> list[list[int]]:
    split = {"words": words, "characters": characters}[kind]
    counts = Counter(token for text in train for token in split(text))
    ordered = sorted(counts, key=lambda token: (-counts[token], token))
    ids = {token: i + 2 for i, token in enumerate(ordered[: config.vocabulary_size - 2])}
    rows = [[ids.get(token, 1) for token in split(text)][: config.max_length] for text in texts]
    return [row or [1] for row in rows]


@pytest.mark.parametrize("kind", ["words", "characters"])
@given(train=TEXTS, texts=TEXTS, size=st.integers(3, 30), length=st.integers(1, 7))
def test_ids_are_those_of_the_reference(
    kind: str, train: list[str], texts: list[str], size: int, length: int
) -> None:
    config = DataConfig(vocabulary_size=size, max_length=length)
    tokens, offsets = encode_texts(learn(train, kind, config), texts, kind, config)[:2]
    expected = reference(train, texts, kind, config)
    assert [tokens[a:b].tolist() for a, b in pairwise(offsets)] == expected
    assert (tokens.dtype, offsets.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_python_splits_ascii_as_the_library_does(kind: str) -> None:
    signs = [chr(code) for code in range(128)]
    tokenizer = _tokenizer(kind, {})
    for text in (f"x{one}{other}Y {one}" for one in signs for other in signs):
        assert _split_ascii(text, kind) == _split_any(text, tokenizer), repr(text)


@pytest.mark.parametrize("kind", ["words", "characters"])
@given(texts=st.lists(st.one_of(st.text(max_size=12), st.text("aB_ .\x1c\x85é", max_size=9))))
def test_counting_and_the_library_learn_the_same(kind: str, texts: list[str]) -> None:
    config = DataConfig(vocabulary_size=9)
    assert _count(texts, kind, config) == _train(texts, kind, config)


def test_ids_descend_in_frequency_from_two() -> None:
    tokenizer = learn(["c b b", "a a b", "c a"], "words", DataConfig())
    assert tokenizer.get_vocab() == {"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3, "c": 4}


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_a_text_cannot_spell_padding_or_unknown(kind: str) -> None:
    texts = ["[PAD] [UNK] pad", "[PAD]"]
    tokens, *_ = encode_texts(learn(texts, kind, DataConfig()), texts, kind, DataConfig())
    assert tokens.min() >= 2


@pytest.mark.parametrize("space", "\x85\xa0\u2028\u2029\u3000")
def test_a_wide_space_before_a_full_stop_is_no_error(space: str) -> None:
    texts = [f"B{space}. a", "b . a"]
    tokens, offsets, _ = encode_texts(learn(texts, "words", DataConfig()), texts, "words",
                                      DataConfig())  # fmt: skip
    first, second = (tokens[start:end] for start, end in pairwise(offsets))
    assert first.tolist() == second.tolist()


def test_rows_beyond_one_batch_keep_their_order() -> None:
    texts = [str(i) for i in range(10_000)]
    tokenizer = learn(texts, "words", DataConfig())
    tokens, offsets, _ = encode_texts(tokenizer, texts, "words", DataConfig())
    assert [tokenizer.id_to_token(token) for token in tokens] == texts
    assert offsets.tolist() == list(range(10_001))


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["all of it in words"], "words"),
        (["新闻标题", "财经 2024!!!"], "characters"),
        (["ニュースのみだし"], "characters"),
        (["中文 ab"], "words"),
        (["中文字 ab"], "characters"),
        (["한국어 뉴스"], "words"),
        (["123 !?", ""], "words"),
        (["\U00020000\U00020001 a"], "characters"),
    ],
)
def test_auto_counts_letters(texts: list[str], kind: str) -> None:
    assert choose(texts) == kind
