"""Everything that decides one run, its seed excepted, on one screen.

A :class:`RunConfig` is complete: two runs with equal configurations, seeds and data are the same
run. Values that make no sense are refused when the object is built, in words that name the field.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from ablation.records import rules
from ablation.records.metric import METRICS
from ablation.records.paths import Level

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


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Constant(Level):
    """An initialisation: every entry is ``value``."""

    value: float = rules.number("finite", math.isfinite)

    def __post_init__(self) -> None:
        rules.obey(self)

    def __repr__(self) -> str:
        return f"Constant({self.value!r})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Normal(Level):
    """An initialisation: independent draws from N(0, ``std`` squared)."""

    std: float = rules.number("finite and >= 0", rules.is_not_negative)

    def __post_init__(self) -> None:
        rules.obey(self)

    def __repr__(self) -> str:
        return f"Normal({self.std!r})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Uniform(Level):
    """An initialisation: independent draws from U(-``bound``, ``bound``)."""

    bound: float = rules.number("finite and >= 0", rules.is_not_negative)

    def __post_init__(self) -> None:
        rules.obey(self)

    def __repr__(self) -> str:
        return f"Uniform({self.bound!r})"


Values = Constant | Normal | Uniform
VALUES = (Constant, Normal, Uniform)
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
    tokenizer: Tokenizer = rules.one_of(Tokenizer, "auto")
    """``auto``: characters where over half of train's letters are Han or kana, else words."""
    max_length: int = rules.at_least(1, 128)
    """Tokens kept of a text; the rest is cut off."""
    sentence_length: int = rules.at_least(1, 40)
    """Tokens of a sentence, for hierarchical models; a longer one counts as several."""
    vocabulary_size: int = rules.at_least(3, 20_000)
    """Most frequent tokens of train that get an id of their own, padding and unknown included."""

    def __post_init__(self) -> None:
        rules.obey(self, "data.")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttentionConfig:
    """Scores and weights of every pooling that has them, above all of the article's attention.

    Its score is (h W + b) . q, its output the sum of weights x keys; what is called weight, bias
    and query in another pooling is said by that pooling.
    """

    init_std: float = rules.not_negative(0.05)
    """Standard deviation of the normal that weight and query are drawn from."""
    weight_init: Init = rules.one_of(Scheme, "normal", free=VALUES)
    """How the weight starts: ``normal`` is N(0, init_std squared); a scheme, or values."""
    query_init: Init = rules.one_of(Scheme, "normal", free=VALUES)
    """How the query starts; likewise."""
    bias_init: BiasInit = rules.one_of(("zeros", "none"), "zeros", free=VALUES)
    """How the bias starts; ``none`` leaves it out of the model."""
    train_weight: bool = True
    """Whether the weight is an ``nn.Parameter``, or a buffer that stays as it was drawn."""
    train_bias: bool = True
    """Whether the bias is one."""
    train_query: bool = True
    """Whether the query is one."""
    fill: Fill = rules.field(-1e32, "<= 0", lambda fill: bool(fill <= 0), free=(str,))
    """Score written over padding before the softmax; ``min`` is the dtype's lowest value."""
    second_masking: bool = True
    """Whether weights on padding are set to zero again after the softmax."""
    dtype: Dtype = rules.one_of(Dtype, "float32")
    """Precision of scores and weights; states, parameters and the weighted sum keep theirs."""
    heads: int = rules.at_least(1, 4)
    """Heads of the pooling ``multi_head``."""
    hops: int = rules.at_least(1, 4)
    """Hops of the pooling ``structured``."""

    def __post_init__(self) -> None:
        rules.obey(self, "model.attention.")
        lowest, fill = LOWEST[self.dtype], self.fill
        within = fill == "min" if isinstance(fill, str) else fill in {-math.inf} or fill >= lowest
        rule = f"-inf, 'min', or within the range of {self.dtype} (from {lowest:g})"
        rules.require(within, "model.attention.fill", rule, fill)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Embedding, encoder, pooling, linear classifier; of words, or of words and then sentences."""

    kind: Kind = rules.one_of(Kind, "flat")
    """``flat`` pools the tokens of a text; ``hierarchical`` pools the tokens of each sentence, and
    then the sentences of the text."""
    encoder: str = rules.one_of(Encoder, "cnn", own=True)
    """A name in :data:`Encoder`, or ``package.module:Class`` of your own."""
    pooling: str = rules.one_of(Pooling, "attention", own=True)
    """A name in :data:`Pooling`, or ``package.module:Class`` of your own; of a hierarchical model
    it pools the sentences."""
    word_pooling: str = rules.one_of(Pooling, "max", own=True)
    """Of a hierarchical model: what makes one vector of a sentence's tokens; likewise."""
    sentence_encoder: str = rules.one_of(Encoder, "bilstm", own=True)
    """Of a hierarchical model: the encoder of the sentences' vectors; as ``encoder``."""
    embedding_size: int = rules.at_least(1, 64)
    """Width of a token's embedding."""
    embedding_std: float = rules.not_negative(0.1)
    """Standard deviation of the normal that embeddings are drawn from."""
    embedding_file: str | None = None
    """Pretrained embeddings as text, a token and its numbers a line (GloVe, word2vec); all
    embeddings are then frozen, those of tokens that it lacks as they were drawn."""
    hidden_size: int = rules.at_least(1, 64)
    """Width of a state, of a token or a sentence, after its encoder."""
    dropout: float = rules.field(0.3, "in [0, 1)", lambda share: 0 <= share < 1)
    """Share of entries dropped from the embeddings and from the pooled vector."""
    top_k: int = rules.at_least(1, 3)
    """Values of each entry that the pooling ``top_k`` takes the mean of."""
    attention: AttentionConfig = AttentionConfig()
    """Read by every pooling with scores."""

    def __post_init__(self) -> None:
        rules.obey(self, "model.")
        even = "bilstm" not in self.encoders or self.hidden_size % 2 == 0
        rule = ">= 1, and even for a bilstm, whose two directions take half each"
        rules.require(even, "model.hidden_size", rule, self.hidden_size)
        divided = "multi_head" not in self.poolings or self.hidden_size % self.attention.heads == 0
        rule = f"a multiple of the {self.attention.heads} heads"
        rules.require(divided, "model.hidden_size", rule, self.hidden_size)

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

    epochs: int = rules.at_least(1, 8)
    """Passes over train."""
    batch_size: int = rules.at_least(1, 64)
    """Texts per step."""
    learning_rate: float = rules.field(
        4e-3, "finite and > 0", lambda rate: rate > 0 and math.isfinite(rate)
    )
    """Step size of Adam (Kingma and Ba, 2015)."""
    batching: Batching = rules.one_of(Batching, "length")
    """``length``: texts of like length share a batch, the order still random; or ``random``."""
    select_on: str = rules.one_of(SELECTIONS, "accuracy")
    """Validation metric that chooses the epoch whose weights are kept; or the ``last`` epoch."""

    def __post_init__(self) -> None:
        rules.obey(self, "train.")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """One complete run configuration: an arm of a study is one of these."""

    data: DataConfig = DataConfig()
    """The texts."""
    model: ModelConfig = ModelConfig()
    """The classifier."""
    train: TrainConfig = TrainConfig()
    """The fitting."""
