"""Learns the vocabulary on train and encodes texts; ids from 2 on are sorted by frequency.

The only module that imports ``tokenizers`` and ``sentencex``, which splits sentences.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import sentencex
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ablation.task.text.config import DataConfig
from ablation.task.text.data.encoded import UNKNOWN

PATTERNS = {"words": r"\w+|[^\w\s]", "characters": r"\S"}
"""Pattern of a token: a run of word characters or a single mark; any character except space."""

# The same patterns for Python, which agrees with the library on ASCII alone (tested sign by sign).
_ASCII = {kind: re.compile(pattern, re.ASCII) for kind, pattern in PATTERNS.items()}

# No pattern matches these as one token, so no text can contain them.
_PADDING, _UNKNOWN = "[PAD]", "[UNK]"

# Encodings are heavy objects: batches of this size take half as long as one large batch.
_BATCH = 4_096

_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")

_WITHOUT_SPACES = re.compile(
    # Han and kana
    r"[\u3005-\u3007\u3040-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF"
    r"\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U0003FFFF"
    # Thai, Lao, Tibetan, Burmese, Khmer, New Tai Lue, Tai Tham
    r"\u0E01-\u0EFF\u0F40-\u0FBC\u1000-\u109F\u1780-\u17DD\u1980-\u19DF\u1A20-\u1AAD]"
)


def choose(texts: list[str]) -> str:
    """Returns ``characters`` if over half of the letters are of scripts without spaces.

    Else ``words``. A clause of Chinese, Japanese, Thai, Lao, Khmer, Burmese or Tibetan would be
    one token.
    """
    counts = np.zeros(0x110000, dtype=np.int64)
    for batch in _batches(texts):
        codes = np.frombuffer("".join(batch).encode("utf-32-le"), dtype=np.uint32)
        counts += np.bincount(codes, minlength=counts.size)
    letters = {chr(code): int(counts[code]) for code in counts.nonzero()[0] if chr(code).isalpha()}
    unspaced = sum(count for letter, count in letters.items() if _WITHOUT_SPACES.match(letter))
    return "characters" if 2 * unspaced > sum(letters.values()) else "words"


def learn(texts: list[str], kind: str, config: DataConfig) -> Tokenizer:
    """Returns a tokenizer for the most frequent tokens; ties are in code point order.

    Args:
        texts: The texts of train only.
        kind: A name in :data:`PATTERNS`.
        config: Sets the size of the vocabulary and the most tokens of a text.
    """
    # Python counts ASCII in a quarter of the CPU time, and anything else no faster.
    mostly_ascii = 2 * sum(map(str.isascii, texts)) > len(texts)
    learned = _count(texts, kind, config) if mostly_ascii else _train(texts, kind, config)
    tokenizer = _tokenizer(kind, learned)
    tokenizer.enable_truncation(config.max_length)
    return tokenizer


def _train(texts: list[str], kind: str, config: DataConfig) -> dict[str, int]:
    """Returns token to id, learned by the library."""
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=0,
        special_tokens=[_PADDING, _UNKNOWN],
        show_progress=False,
    )
    trained = _tokenizer(kind, {})
    trained.train_from_iterator(texts, trainer)
    # Only the ids, because the trained one would look for its special tokens in texts.
    return trained.get_vocab(with_added_tokens=False)


def _count(texts: list[str], kind: str, config: DataConfig) -> dict[str, int]:
    """Returns what :func:`_train` returns; the library reads the texts beyond ASCII alone."""
    counts: Counter[str] = Counter()
    tokenizer = _tokenizer(kind, {})
    for text in texts:
        counts.update(_split_ascii(text, kind) if text.isascii() else _split_any(text, tokenizer))
    ordered = sorted(counts, key=lambda token: (-counts[token], token))
    tokens = [_PADDING, _UNKNOWN, *ordered[: config.vocabulary_size - 2]]
    return {token: number for number, token in enumerate(tokens)}


def _split_ascii(text: str, kind: str) -> list[str]:
    """Returns the tokens of a text of ASCII alone."""
    return _ASCII[kind].findall(text.lower() if kind == "words" else text)


def _split_any(text: str, tokenizer: Tokenizer) -> list[str]:
    """Returns the tokens of any text."""
    normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
    return [token for token, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]


def encode_texts(
    tokenizer: Tokenizer, texts: list[str], kind: str, config: DataConfig
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns the concatenated token ids, the starts of texts and the starts of sentences.

    Both arrays of starts have one more entry, the end of the last text or sentence. A text
    without tokens gets one unknown token. Every text starts a sentence.

    Args:
        tokenizer: The tokenizer from :func:`learn`.
        texts: The texts.
        kind: A name in :data:`PATTERNS`. Sentences are split by the rules of Chinese for
            ``characters``, else by those of English.
        config: Sets the most tokens of a text and of a sentence.
    """
    lengths = np.zeros(len(texts), np.int64)
    flat: list[int] = []
    starts: list[int] = []
    for row, sentences in enumerate(_encoded_sentences(tokenizer, texts, kind)):
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
    tokenizer: Tokenizer, texts: list[str], kind: str
) -> Iterator[list[list[int]]]:
    """Yields the token ids of each text's sentences."""
    language = "zh" if kind == "characters" else "en"
    ids = tokenizer.get_vocab()
    for batch in _batches(texts):
        split = [_sentences(text, language) or [text] for text in batch]
        # Python takes a sixth of the CPU time for ASCII.
        foreign = [each for each in itertools.chain(*split) if not each.isascii()]
        encoded = iter(tokenizer.encode_batch_fast(foreign, add_special_tokens=False))
        for sentences in split:
            yield [
                list(map(ids.get, _split_ascii(each, kind), itertools.repeat(UNKNOWN)))
                if each.isascii()
                else next(encoded).ids
                for each in sentences
            ]


def _sentences(text: str, language: str) -> list[str]:
    """Returns the sentences of a text."""
    sentences: list[str]
    try:
        sentences = sentencex.segment(language, text)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which cannot be imported
            raise
        # The library fails on some wide spaces before a full stop; spaces are in no token.
        sentences = sentencex.segment(language, _WIDE_SPACE.sub(" ", text))
    return sentences


def _tokenizer(kind: str, vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    if kind == "words":
        tokenizer.normalizer = normalizers.Lowercase()
    pattern = Regex(PATTERNS[kind])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    return tokenizer


def _batches(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
