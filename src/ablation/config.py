"""Everything that decides one run, its seed excepted, on one screen.

A :class:`RunConfig` is complete: two runs with equal configurations, seeds and data are the same
run. Values that make no sense are refused when the object is built, in words that name the field.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from ablation.errors import Refused, nearest
from ablation.records.metric import METRICS

Encoder = Literal["none", "cnn", "bilstm"]
Pooling = Literal[
    "attention",
    "attention_over_states",
    "additive",
    "scaled_dot",
    "gated",
    "structured",
    "multi_head",
    "sparsemax",
    "entmax15",
    "mean",
    "max",
    "sum",
    "logsumexp",
    "last",
    "first",
    "top_k",
]
Kind = Literal["flat", "hierarchical"]
Dtype = Literal["float32", "bfloat16", "float16"]
Scheme = Literal["normal", "xavier", "kaiming", "orthogonal", "zeros"]
Tokenizer = Literal["auto", "words", "characters"]
Batching = Literal["length", "random"]

SELECTIONS = (*METRICS, "last")
"""By what the kept epoch is chosen: a validation metric, or ``last``."""


def _require(condition: bool, field: str, rule: str, value: object) -> None:
    if not condition:
        raise Refused(f"{field} must be {rule}; got {value!r}.", f"Change {field}.")


def _one_of(value: object, choices: Any, field: str) -> None:
    known = choices if isinstance(choices, tuple) else get_args(choices)
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
        _require(math.isfinite(self.value), "value", "finite", self.value)

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


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Uniform:
    """An initialisation: independent draws from U(-``bound``, ``bound``)."""

    bound: float

    def __post_init__(self) -> None:
        _typed(self)
        good = self.bound >= 0 and math.isfinite(self.bound)
        _require(good, "bound", "finite and >= 0", self.bound)

    def __repr__(self) -> str:
        return f"Uniform({self.bound!r})"


Values = Constant | Normal | Uniform
Init = Scheme | Values
BiasInit = Literal["zeros", "none"] | Values
Fill = float | Literal["min"]

LOWEST: dict[str, float] = {"float32": -3.4028e38, "bfloat16": -3.3895e38, "float16": -65504.0}
"""The lowest finite number of each dtype, rounded towards zero."""


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
    sentence_length: int = 40
    """Tokens of a sentence, for hierarchical models; a longer one counts as several."""
    vocabulary_size: int = 20_000
    """Most frequent tokens of train that get an id of their own, padding and unknown included."""

    def __post_init__(self) -> None:
        _typed(self)
        _one_of(self.tokenizer, Tokenizer, "data.tokenizer")
        _require(self.max_length >= 1, "data.max_length", ">= 1", self.max_length)
        _require(self.sentence_length >= 1, "data.sentence_length", ">= 1", self.sentence_length)
        _require(self.vocabulary_size >= 3, "data.vocabulary_size", ">= 3", self.vocabulary_size)  # noqa: PLR2004 - padding, unknown and one token


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttentionConfig:
    """Scores and weights of every pooling that has them, above all of the article's attention.

    Its score is (h W + b) . q, its output the sum of weights x keys; what is called weight, bias
    and query in another pooling is said by that pooling.
    """

    init_std: float = 0.05
    """Standard deviation of the normal that weight and query are drawn from."""
    weight_init: Init = "normal"
    """How the weight starts: ``normal`` is N(0, init_std squared); a scheme, or values."""
    query_init: Init = "normal"
    """How the query starts; likewise."""
    bias_init: BiasInit = "zeros"
    """How the bias starts; ``none`` leaves it out of the model."""
    train_weight: bool = True
    """Whether the weight is an ``nn.Parameter``, or a buffer that stays as it was drawn."""
    train_bias: bool = True
    """Whether the bias is one."""
    train_query: bool = True
    """Whether the query is one."""
    fill: Fill = -1e32
    """Score written over padding before the softmax; ``min`` is the dtype's lowest value."""
    second_masking: bool = True
    """Whether weights on padding are set to zero again after the softmax."""
    dtype: Dtype = "float32"
    """Precision of scores and weights; states, parameters and the weighted sum keep theirs."""
    heads: int = 4
    """Heads of the pooling ``multi_head``."""
    hops: int = 4
    """Hops of the pooling ``structured``."""

    def __post_init__(self) -> None:
        _typed(self)
        good = self.init_std >= 0 and math.isfinite(self.init_std)
        _require(good, "model.attention.init_std", "finite and >= 0", self.init_std)
        for field, known in (
            ("weight_init", Scheme),
            ("query_init", Scheme),
            ("bias_init", Literal["zeros", "none"]),
            ("dtype", Dtype),
        ):
            value = getattr(self, field)
            if not isinstance(value, Values):
                _one_of(value, known, f"model.attention.{field}")
        if isinstance(self.fill, str):
            _one_of(self.fill, Literal["min"], "model.attention.fill")
        else:
            _require(self.fill <= 0, "model.attention.fill", "<= 0", self.fill)
            lowest = LOWEST[self.dtype]
            rule = f"-inf, 'min', or within the range of {self.dtype} (from {lowest:g})"
            within = self.fill >= lowest or self.fill == -math.inf
            _require(within, "model.attention.fill", rule, self.fill)
        _require(self.heads >= 1, "model.attention.heads", ">= 1", self.heads)
        _require(self.hops >= 1, "model.attention.hops", ">= 1", self.hops)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Embedding, encoder, pooling, linear classifier; of words, or of words and then sentences."""

    kind: Kind = "flat"
    """``flat`` pools the tokens of a text; ``hierarchical`` pools the tokens of each sentence, and
    then the sentences of the text."""
    encoder: str = "cnn"
    """A name in :data:`Encoder`, or ``package.module:Class`` of your own."""
    pooling: str = "attention"
    """A name in :data:`Pooling`, or ``package.module:Class`` of your own; of a hierarchical model
    it pools the sentences."""
    word_pooling: str = "max"
    """Of a hierarchical model: what makes one vector of a sentence's tokens; likewise."""
    sentence_encoder: str = "bilstm"
    """Of a hierarchical model: the encoder of the sentences' vectors; as ``encoder``."""
    embedding_size: int = 64
    """Width of a token's embedding."""
    embedding_std: float = 0.1
    """Standard deviation of the normal that embeddings are drawn from."""
    embedding_file: str | None = None
    """Pretrained embeddings as text, a token and its numbers a line (GloVe, word2vec); all
    embeddings are then frozen, those of tokens that it lacks as they were drawn."""
    hidden_size: int = 64
    """Width of a state, of a token or a sentence, after its encoder."""
    dropout: float = 0.3
    """Share of entries dropped from the embeddings and from the pooled vector."""
    top_k: int = 3
    """Values of each entry that the pooling ``top_k`` takes the mean of."""
    attention: AttentionConfig = AttentionConfig()
    """Read by every pooling with scores."""

    def __post_init__(self) -> None:
        _typed(self)
        _one_of(self.kind, Kind, "model.kind")
        for field, known in (
            ("encoder", Encoder),
            ("pooling", Pooling),
            ("word_pooling", Pooling),
            ("sentence_encoder", Encoder),
        ):
            if ":" not in getattr(self, field):
                _one_of(getattr(self, field), known, f"model.{field}")
        good = self.embedding_std >= 0 and math.isfinite(self.embedding_std)
        _require(good, "model.embedding_std", "finite and >= 0", self.embedding_std)
        _require(self.embedding_size >= 1, "model.embedding_size", ">= 1", self.embedding_size)
        even = self.hidden_size >= 1 and (
            "bilstm" not in self.encoders or self.hidden_size % 2 == 0
        )
        rule = ">= 1, and even for a bilstm, whose two directions take half each"
        _require(even, "model.hidden_size", rule, self.hidden_size)
        _require(0 <= self.dropout < 1, "model.dropout", "in [0, 1)", self.dropout)
        _require(self.top_k >= 1, "model.top_k", ">= 1", self.top_k)
        divided = "multi_head" not in self.poolings or self.hidden_size % self.attention.heads == 0
        rule = f"a multiple of the {self.attention.heads} heads"
        _require(divided, "model.hidden_size", rule, self.hidden_size)

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders that this kind of model has."""
        return (self.encoder, self.sentence_encoder)[: 1 + (self.kind == "hierarchical")]

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings that this kind of model has."""
        return (self.pooling, self.word_pooling)[: 1 + (self.kind == "hierarchical")]


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
    select_on: str = "accuracy"
    """Validation metric that chooses the epoch whose weights are kept; or the ``last`` epoch."""

    def __post_init__(self) -> None:
        _typed(self)
        _require(self.epochs >= 1, "train.epochs", ">= 1", self.epochs)
        _require(self.batch_size >= 1, "train.batch_size", ">= 1", self.batch_size)
        good = self.learning_rate > 0 and math.isfinite(self.learning_rate)
        _require(good, "train.learning_rate", "finite and > 0", self.learning_rate)
        _one_of(self.batching, Batching, "train.batching")
        _one_of(self.select_on, SELECTIONS, "train.select_on")


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
        if dataclasses.is_dataclass(value) and not isinstance(value, Values):
            flat |= flatten(value, f"{prefix}{field.name}.")
        else:
            flat[prefix + field.name] = value
    return flat
