"""Everything that decides one run, its seed excepted, on one screen.

A :class:`RunConfig` is complete: two runs with equal configurations, seeds and data are the same
run. Values that make no sense are refused when the object is built, in words that name the field.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any, Literal, get_args

from ablation.errors import Refused, nearest

Encoder = Literal["none", "cnn", "bilstm"]
Pooling = Literal["attention", "mean", "max"]
Tokenizer = Literal["auto", "words", "characters"]
Batching = Literal["length", "random"]
Metric = Literal["accuracy", "macro_f1", "loss"]


def _require(condition: bool, field: str, rule: str, value: object) -> None:
    if not condition:
        raise Refused(f"{field} must be {rule}; got {value!r}.", f"Change {field}.")


def _one_of(value: object, literal: Any, field: str) -> None:
    known = get_args(literal)
    if value not in known:
        raise Refused(
            f"{field} must be one of {', '.join(known)}; got {value!r}."
            f"{nearest(str(value), known)}",
            f"Change {field}.",
        )


def _typed(config: Any) -> None:
    """Refuses values of another type than declared; an int becomes a float where due.

    One number then has one spelling, and one hash.
    """
    for field in dataclasses.fields(config):
        value, wanted = getattr(config, field.name), str(field.type)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and wanted in {"float", "Fill"}:
            object.__setattr__(config, field.name, float(value))
        elif wanted in {"int", "float", "bool", "str"} and type(value).__name__ != wanted:
            raise Refused(
                f"{field.name} cannot be {value!r}: it is of type {wanted}.",
                f"Change {field.name}.",
            )


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Constant:
    """An initialisation: every entry is ``value``."""

    value: float

    def __post_init__(self) -> None:
        _typed(self)

    def __repr__(self) -> str:
        return f"Constant({self.value!r})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Normal:
    """An initialisation: independent draws from N(0, ``std`` squared)."""

    std: float

    def __repr__(self) -> str:
        return f"Normal({self.std!r})"

    def __post_init__(self) -> None:
        _typed(self)
        _require(self.std >= 0 and math.isfinite(self.std), "std", "finite and >= 0", self.std)


BiasInit = Literal["zeros", "none"] | Constant | Normal
Fill = float | Literal["min"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Which texts, and how they become tokens."""

    source: str = "docstrings"
    """The built-in corpus, a local folder or file, or a Hugging Face Hub id."""
    revision: str | None = None
    """Commit of the Hub repository; without one, the version that was first downloaded stays."""
    text: str = "text"
    """Column that holds the text."""
    label: str = "label"
    """Column that holds the class."""
    tokenizer: Tokenizer = "auto"
    """``auto``: characters where over half of train's letters are Han or kana, else words."""
    max_length: int = 128
    """Tokens kept of a text; the rest is cut off."""
    vocabulary_size: int = 20_000
    """Most frequent tokens of train that get an id of their own, padding and unknown included."""

    def __post_init__(self) -> None:
        _typed(self)
        _one_of(self.tokenizer, Tokenizer, "data.tokenizer")
        _require(self.max_length >= 1, "data.max_length", ">= 1", self.max_length)
        _require(self.vocabulary_size >= 3, "data.vocabulary_size", ">= 3", self.vocabulary_size)  # noqa: PLR2004 - padding, unknown and one token


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttentionConfig:
    """The attention of the article: score = (h W + b) . q, output = sum of weights x keys."""

    init_std: float = 0.05
    """Standard deviation of the normal that weight and query are drawn from."""
    bias_init: BiasInit = "zeros"
    """How the bias starts; ``none`` leaves it out of the model."""
    fill: Fill = -1e32
    """Score written over padding before the softmax; ``min`` is the dtype's lowest value."""
    second_masking: bool = True
    """Whether weights on padding are set to zero again after the softmax."""

    def __post_init__(self) -> None:
        _typed(self)
        good = self.init_std >= 0 and math.isfinite(self.init_std)
        _require(good, "model.attention.init_std", "finite and >= 0", self.init_std)
        if not isinstance(self.bias_init, Constant | Normal):
            _one_of(self.bias_init, Literal["zeros", "none"], "model.attention.bias_init")
        if isinstance(self.fill, str):
            _one_of(self.fill, Literal["min"], "model.attention.fill")
        else:
            _require(self.fill <= 0, "model.attention.fill", "<= 0", self.fill)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Embedding, encoder, pooling, linear classifier."""

    encoder: str = "cnn"
    """A name in :data:`Encoder`, or ``package.module:Class`` of your own."""
    pooling: str = "attention"
    """A name in :data:`Pooling`, or ``package.module:Class`` of your own."""
    embedding_size: int = 64
    """Width of a token's embedding."""
    embedding_std: float = 0.1
    """Standard deviation of the normal that embeddings are drawn from."""
    hidden_size: int = 64
    """Width of a token's state after the encoder."""
    dropout: float = 0.3
    """Share of entries dropped from the embeddings and from the pooled vector."""
    attention: AttentionConfig = AttentionConfig()
    """Read by the pooling ``attention``."""

    def __post_init__(self) -> None:
        _typed(self)
        if ":" not in self.encoder:
            _one_of(self.encoder, Encoder, "model.encoder")
        if ":" not in self.pooling:
            _one_of(self.pooling, Pooling, "model.pooling")
        good = self.embedding_std >= 0 and math.isfinite(self.embedding_std)
        _require(good, "model.embedding_std", "finite and >= 0", self.embedding_std)
        _require(self.embedding_size >= 1, "model.embedding_size", ">= 1", self.embedding_size)
        even = self.hidden_size >= 1 and (self.encoder != "bilstm" or self.hidden_size % 2 == 0)
        rule = ">= 1, and even for a bilstm, whose two directions take half each"
        _require(even, "model.hidden_size", rule, self.hidden_size)
        _require(0 <= self.dropout < 1, "model.dropout", "in [0, 1)", self.dropout)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How the model is fitted, and which epoch is kept."""

    epochs: int = 8
    """Passes over train."""
    batch_size: int = 64
    """Texts per step."""
    learning_rate: float = 4e-3
    """Step size of Adam (Kingma and Ba, 2015)."""
    batching: Batching = "length"
    """``length``: texts of like length share a batch, the order still random; or ``random``."""
    select_on: Metric = "accuracy"
    """Validation metric that chooses the epoch whose weights are kept."""

    def __post_init__(self) -> None:
        _typed(self)
        _require(self.epochs >= 1, "train.epochs", ">= 1", self.epochs)
        _require(self.batch_size >= 1, "train.batch_size", ">= 1", self.batch_size)
        good = self.learning_rate > 0 and math.isfinite(self.learning_rate)
        _require(good, "train.learning_rate", "finite and > 0", self.learning_rate)
        _one_of(self.batching, Batching, "train.batching")
        _one_of(self.select_on, Metric, "train.select_on")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """One complete run configuration: an arm of a study is one of these."""

    data: DataConfig = DataConfig()
    """The texts."""
    model: ModelConfig = ModelConfig()
    """The classifier."""
    train: TrainConfig = TrainConfig()
    """The fitting."""


def replace(config: RunConfig, path: str, value: Any) -> RunConfig:
    """Returns ``config`` with the field at a dotted path replaced.

    Args:
        config: A run configuration.
        path: Such as ``"model.attention.init_std"``.
        value: The new value; an int becomes a float where the field holds floats.

    Raises:
        Refused: If no such field exists (the nearest is named), or the value is refused.
    """
    known = flatten(config)
    if path not in known:
        raise Refused(
            f"No field {path!r} in the run configuration.{nearest(path, known)}",
            f"The fields are: {', '.join(known)}.",
        )
    try:
        replaced: RunConfig = _replace(config, path, value)
    except TypeError as error:
        rule = f"{path} cannot be {value!r}."
        raise Refused(rule, f"It takes values such as {known[path]!r}.") from error
    return replaced


def _replace(config: Any, path: str, value: Any) -> Any:
    head, _, rest = path.partition(".")
    inner = _replace(getattr(config, head), rest, value) if rest else value
    return dataclasses.replace(config, **{head: inner})


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the configuration as one level: dotted path to value, in field order."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Constant | Normal):
            flat |= flatten(value, f"{prefix}{field.name}.")
        else:
            flat[prefix + field.name] = value
    return flat


def digest(*parts: Any) -> str:
    """Returns 12 hex digits that identify the parts; floats enter by repr, mappings by key."""
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
