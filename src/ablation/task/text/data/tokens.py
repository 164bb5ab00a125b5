"""Tokens: the vocabulary is learned on train alone; ids descend in frequency from 2 on.

The only module that imports ``tokenizers`` and ``sentencex``, which finds the sentences.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import sentencex
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ablation.task.text.config import DataConfig
from ablation.task.text.data.encoded import UNKNOWN

PATTERNS = {"words": r"\w+|[^\w\s]", "characters": r"\S"}
"""What a token is: a run of word characters or a single mark; any character but space."""

# No pattern matches these as one token, so no text can spell them.
_PADDING, _UNKNOWN = "[PAD]", "[UNK]"

# Encodings are heavy objects: batches of this size take half the time of one large batch.
_BATCH = 4_096

_HAN_OR_KANA = re.compile(
    r"[\u3005-\u3007\u3040-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF"
    r"\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U0003FFFF]"
)


def choose(texts: list[str]) -> str:
    """Returns ``characters`` where over half of the letters are Han or kana, else ``words``."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for batch in _batches(texts):
        codes = np.frombuffer("".join(batch).encode("utf-32-le"), dtype=np.uint32)
        counts += np.bincount(codes, minlength=counts.size)
    letters = {chr(code): int(counts[code]) for code in counts.nonzero()[0] if chr(code).isalpha()}
    east_asian = sum(count for letter, count in letters.items() if _HAN_OR_KANA.match(letter))
    return "characters" if 2 * east_asian > sum(letters.values()) else "words"


def learn(texts: list[str], kind: str, config: DataConfig) -> Tokenizer:
    """Learns the vocabulary: the most frequent tokens, those of equal count in code point order.

    Args:
        texts: Train, and nothing else.
        kind: A name in :data:`PATTERNS`.
        config: Sets the size of the vocabulary and the length that texts are cut to.
    """
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=0,
        special_tokens=[_PADDING, _UNKNOWN],
        show_progress=False,
    )
    trained = _tokenizer(kind, {})
    trained.train_from_iterator(texts, trainer)
    # Built anew from the ids alone: the trained one would look for its special tokens in texts.
    tokenizer = _tokenizer(kind, trained.get_vocab(with_added_tokens=False))
    tokenizer.enable_truncation(config.max_length)
    return tokenizer


def encode(
    tokenizer: Tokenizer, texts: list[str], kind: str, config: DataConfig
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns the token ids of all texts on end, where texts start, and where sentences start.

    Both kinds of starts have one entry more, where the last one ends. No text is without a token,
    and every text starts a sentence.

    Args:
        tokenizer: As :func:`learn` made it.
        texts: What to encode.
        kind: A name in :data:`PATTERNS`; characters are taken for Chinese or Japanese.
        config: Sets the length of a text and of a sentence.
    """
    language = "zh" if kind == "characters" else "en"
    lengths = np.zeros(len(texts), np.int64)
    flat: list[int] = []
    starts: list[int] = []
    for row, sentences in enumerate(_encoded_sentences(tokenizer, texts, language)):
        left = config.max_length
        for ids in sentences:
            kept = ids[:left]
            starts.extend(range(len(flat), len(flat) + len(kept), config.sentence_length))
            flat += kept
            left -= len(kept)
        if left == config.max_length:
            starts.append(len(flat))
            flat.append(UNKNOWN)
            left -= 1
        lengths[row] = config.max_length - left
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
    return np.array(flat, np.int32), offsets, np.array([*starts, len(flat)], np.int64)


def _encoded_sentences(
    tokenizer: Tokenizer, texts: list[str], language: str
) -> Iterator[list[list[int]]]:
    """Yields the token ids of each text's sentences."""
    for batch in _batches(texts):
        split = [sentencex.segment(language, text) or [text] for text in batch]
        flat = list(itertools.chain.from_iterable(split))
        encoded = iter(tokenizer.encode_batch_fast(flat, add_special_tokens=False))
        for sentences in split:
            yield [encoding.ids for encoding in itertools.islice(encoded, len(sentences))]


def _tokenizer(kind: str, vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    if kind == "words":
        tokenizer.normalizer = normalizers.Lowercase()
    pattern = Regex(PATTERNS[kind])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    return tokenizer


def _batches(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
