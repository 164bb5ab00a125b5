"""The run configuration of the text classifier: everything that decides a run except its seed.

A :class:`RunConfig` is complete: two runs with equal configurations, seeds and data are the same
run. An invalid value is refused at construction, with a message that names the field.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from ablation.records import rules
from ablation.records.explained import explained
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
"""Criteria for the kept epoch: a validation metric, or ``last``."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Constant(Level):
    """An initialisation: every entry is ``value``."""

    value: float = rules.number("finite in float32", rules.fits_float32)

    def __post_init__(self) -> None:
        rules.obey(self)

    def __repr__(self) -> str:
        return f"Constant({self.value!r})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Normal(Level):
    """An initialisation: independent draws from N(0, ``std`` squared)."""

    std: float = rules.number(rules.NOT_NEGATIVE, rules.is_not_negative)

    def __post_init__(self) -> None:
        rules.obey(self)

    def __repr__(self) -> str:
        return f"Normal({self.std!r})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Uniform(Level):
    """An initialisation: independent draws from U(-``bound``, ``bound``)."""

    bound: float = rules.number(rules.NOT_NEGATIVE, rules.is_not_negative)

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


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """The source of the texts and their tokenisation."""

    source: str = "docstrings"
    """The built-in corpus, a local folder or file, or a Hugging Face Hub id."""
    revision: str | None = None
    """Commit of the Hub repository; if None, the first downloaded version is kept."""
    text: str = "text"
    """Name of the text column."""
    label: str = "label"
    """Name of the class column."""
    tokenizer: Tokenizer = rules.one_of(Tokenizer, "auto")
    """``auto``: characters if over half of train's letters are of scripts without spaces (Chinese,
    Japanese, Thai, Lao, Khmer, Burmese, Tibetan), else words."""
    max_length: int = rules.at_least(1, 128)
    """Most tokens of a text; the rest is cut off."""
    sentence_length: int = rules.at_least(1, 40)
    """Most tokens of a sentence, for hierarchical models; a longer sentence is divided."""
    vocabulary_size: int = rules.at_least(3, 20_000)
    """Number of ids: the most frequent tokens of train, padding and unknown."""

    def __post_init__(self) -> None:
        rules.obey(self, "data.")


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttentionConfig:
    """Scores and weights of the attention and of every other pooling that has them.

    The attention's score is (h W + b) . q, with weight W, bias b and query q; its output is the
    sum of weights x keys. Other poolings document their own weight, bias and query.
    """

    init_std: float = rules.not_negative(0.05)
    """Standard deviation of the normal that weight and query are drawn from."""
    weight_init: Init = rules.one_of(Scheme, "normal", free=VALUES)
    """Initialisation of the weight: a scheme or values; ``normal`` is N(0, init_std squared)."""
    query_init: Init = rules.one_of(Scheme, "normal", free=VALUES)
    """Initialisation of the query: a scheme or values; ``normal`` is N(0, init_std squared)."""
    bias_init: BiasInit = rules.one_of(("zeros", "none"), "zeros", free=VALUES)
    """Initialisation of the bias: values; ``none`` leaves the bias out of the model."""
    train_weight: bool = True
    """Whether the weight is trained; if not, it is a buffer that keeps its initial values."""
    train_bias: bool = True
    """Whether the bias is trained."""
    train_query: bool = True
    """Whether the query is trained."""
    fill: Fill = rules.field(-1e32, "<= 0", lambda fill: bool(fill <= 0), free=(str,))
    """Score written over padding before the softmax; ``min`` is the dtype's lowest value."""
    second_masking: bool = True
    """Whether weights on padding are set to zero after the softmax."""
    dtype: Dtype = rules.one_of(Dtype, "float32")
    """Precision of scores and weights; states, parameters and the weighted sum keep theirs."""
    heads: int = rules.at_least(1, 4)
    """Number of heads of the pooling ``multi_head``."""
    hops: int = rules.at_least(1, 4)
    """Number of hops of the pooling ``structured``."""

    def __post_init__(self) -> None:
        rules.obey(self, "model.attention.")
        lowest, fill = LOWEST[self.dtype], self.fill
        within = fill == "min" if isinstance(fill, str) else fill in {-math.inf} or fill >= lowest
        rule = f"-inf, 'min', or within the range of {self.dtype} (from {lowest:g})"
        rules.require(within, "model.attention.fill", rule, fill)


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Embedding, encoder, pooling and linear classifier."""

    kind: Kind = rules.one_of(Kind, "flat")
    """``flat`` pools the tokens of a text; ``hierarchical`` pools the tokens of each sentence, and
    then the sentences of the text."""
    encoder: str = rules.one_of(Encoder, "cnn", own=True)
    """Encoder of the tokens: a name in :data:`Encoder`, or your own ``package.module:Class``."""
    pooling: str = rules.one_of(Pooling, "attention", own=True)
    """A name in :data:`Pooling`, or your own ``package.module:Class``. In a hierarchical model it
    pools the sentences."""
    word_pooling: str = rules.one_of(Pooling, "max", own=True)
    """Pooling of a sentence's tokens in a hierarchical model; same values as ``pooling``."""
    sentence_encoder: str = rules.one_of(Encoder, "bilstm", own=True)
    """Encoder of the sentences in a hierarchical model; same values as ``encoder``."""
    embedding_size: int = rules.at_least(1, 64)
    """Width of a token's embedding."""
    embedding_std: float = rules.not_negative(0.1)
    """Standard deviation of the normal that embeddings are drawn from."""
    embedding_file: str | None = None
    """Text file of pretrained embeddings, one token and its numbers per line (GloVe, word2vec).
    All embeddings are then frozen; tokens missing from the file keep their random ones."""
    hidden_size: int = rules.at_least(1, 64)
    """Width of a token's or sentence's state after its encoder."""
    dropout: float = rules.field(0.3, "in [0, 1)", lambda share: 0 <= share < 1)
    """Share of entries dropped from the embeddings and from the pooled vector."""
    top_k: int = rules.at_least(1, 3)
    """Number of largest values per entry that the pooling ``top_k`` averages."""
    attention: AttentionConfig = AttentionConfig()
    """The configuration of every pooling with scores."""

    def __post_init__(self) -> None:
        rules.obey(self, "model.")
        even = "bilstm" not in self.encoders or self.hidden_size % 2 == 0
        rule = ">= 1, and even for a bilstm, because each direction takes half of it"
        rules.require(even, "model.hidden_size", rule, self.hidden_size)
        divided = "multi_head" not in self.poolings or self.hidden_size % self.attention.heads == 0
        rule = f"a multiple of the {self.attention.heads} heads"
        rules.require(divided, "model.hidden_size", rule, self.hidden_size)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of the encoders in this kind of model."""
        return (self.encoder,) if self.kind == "flat" else (self.encoder, self.sentence_encoder)

    @property
    def poolings(self) -> tuple[str, ...]:
        """Names of the poolings in this kind of model."""
        return (self.pooling,) if self.kind == "flat" else (self.pooling, self.word_pooling)


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """The optimisation, and the choice of the kept epoch."""

    # Chosen on the built-in corpus's validation split, by seeds that no study uses (10,000 to
    # 10,003): with 8, the last epoch was the best one in up to three quarters of an arm's runs,
    # with 12 likewise, with 16 in a third at most.
    epochs: int = rules.at_least(1, 16)
    """Number of passes over train."""
    batch_size: int = rules.at_least(1, 64)
    """Texts per step."""
    learning_rate: float = rules.field(
        4e-3, "finite and > 0", lambda rate: rate > 0 and math.isfinite(rate)
    )
    """Step size of Adam (Kingma and Ba, 2015)."""
    batching: Batching = rules.one_of(Batching, "length")
    """``length``: texts of similar length share a batch, in random order; or ``random``."""
    select_on: str = rules.one_of(SELECTIONS, "accuracy")
    """Validation metric that chooses the epoch whose weights are kept, or ``last``."""

    def __post_init__(self) -> None:
        rules.obey(self, "train.")


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A complete run configuration; each arm of a study has one."""

    data: DataConfig = DataConfig()
    """The texts."""
    model: ModelConfig = ModelConfig()
    """The classifier."""
    train: TrainConfig = TrainConfig()
    """The optimisation."""
