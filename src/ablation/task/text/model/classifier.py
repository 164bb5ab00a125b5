"""The classifiers: of tokens, and of tokens and then sentences."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ablation.errors import Refused
from ablation.task.text.config import ModelConfig
from ablation.task.text.model.dropout import Dropout
from ablation.task.text.model.embedding import Embedding

GROUPS = 4
"""Parts, by length, in which a batch's sentences are encoded: it saves most of the padding."""


class Classifier(nn.Module):
    """Texts as token ids in, class scores out: embedding, encoder, pooling, linear map.

    Args:
        config: The model's part of the run configuration.
        encoder: From embeddings and mask to states.
        pooling: From states and mask to one vector a text, and perhaps weights.
        vocabulary_size: Number of token ids, padding included.
        classes: Number of classes.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        encoder: nn.Module,
        pooling: nn.Module,
        vocabulary_size: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary_size, config.embedding_size)
        self.embedding_dropout = Dropout(config.dropout)
        self.encoder = encoder
        self.pooling = pooling
        self.pooled_dropout = Dropout(config.dropout)
        self.head = nn.Linear(width_of(pooling, config), classes)
        self.hidden_size = config.hidden_size

    def states(
        self,
        tokens: Int[Tensor, "batch length"],
        mask: Bool[Tensor, "batch length"],
        *,
        table: Float[Tensor, "distinct embedding"] | None = None,
    ) -> tuple[Float[Tensor, "batch length hidden"], Bool[Tensor, "batch length"]]:
        """Returns the states that are pooled last, and their mask.

        Args:
            tokens: Token ids; with a table, row numbers of the table.
            mask: Which of the tokens are real.
            table: See :meth:`Embedding.forward`.
        """
        embeddings = self.embedding_dropout(self.embedding(tokens, table))
        return encode(self.encoder, embeddings, mask, self.hidden_size), mask

    def forward(
        self, *batch: Tensor, table: Float[Tensor, "distinct embedding"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Returns the logits of a batch, which is what :meth:`states` takes."""
        pooled, _ = pool(self.pooling, *self.states(*batch, table=table))
        logits: Tensor = self.head(self.pooled_dropout(pooled))
        return logits


class HierarchicalClassifier(Classifier):
    """Words to sentences to a text, as the article's whole model.

    The tokens of each sentence are encoded and pooled; the sentences' vectors are encoded and
    pooled again; a linear map follows. After Yang et al. (2016), whose two levels it has.

    Args:
        config: The model's part of the run configuration.
        encoder: Of the tokens of a sentence.
        word_pooling: Of the tokens of a sentence.
        sentence_encoder: Of the sentences' vectors.
        pooling: Of the sentences' states.
        vocabulary_size: Number of token ids, padding included.
        classes: Number of classes.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        encoder: nn.Module,
        word_pooling: nn.Module,
        sentence_encoder: nn.Module,
        pooling: nn.Module,
        vocabulary_size: int,
        classes: int,
    ) -> None:
        sizes = {"vocabulary_size": vocabulary_size, "classes": classes}
        super().__init__(config, encoder=encoder, pooling=pooling, **sizes)
        self.word_pooling = word_pooling
        self.sentence_encoder = sentence_encoder

    def states(  # type: ignore[override]  # a batch of sentences holds one tensor more
        self,
        tokens: Int[Tensor, "sentences length"],
        mask: Bool[Tensor, "sentences length"],
        sentence_mask: Bool[Tensor, "batch most"],
        *,
        table: Float[Tensor, "distinct embedding"] | None = None,
    ) -> tuple[Float[Tensor, "batch most hidden"], Bool[Tensor, "batch most"]]:
        """Returns the sentences' states, and which of them are real.

        Args:
            tokens: The sentences of all texts, one after the other; none is empty.
            mask: Which of the tokens are real.
            sentence_mask: Where the sentences belong: text and place in it.
            table: See :meth:`Embedding.forward`.
        """
        lengths = mask.sum(dim=1)
        order = lengths.argsort(stable=True)
        vectors = torch.cat(
            [self._vectors(tokens, mask, rows, table) for rows in order.chunk(GROUPS)]
        )
        vectors = vectors[order.argsort()]
        placed = vectors.new_zeros(*sentence_mask.shape, vectors.shape[1])
        placed = placed.masked_scatter(sentence_mask.unsqueeze(2), vectors)
        states = encode(self.sentence_encoder, placed, sentence_mask, self.hidden_size)
        return states, sentence_mask

    def _vectors(
        self,
        tokens: Int[Tensor, "sentences length"],
        mask: Bool[Tensor, "sentences length"],
        rows: Int[Tensor, " some"],
        table: Float[Tensor, "distinct embedding"] | None,
    ) -> Float[Tensor, "some pooled"]:
        """Returns the vectors of some sentences, padded to the longest of these."""
        real = mask[rows]
        real = real[:, : int(real.sum(dim=1).max())]
        words, _ = super().states(tokens[rows, : real.shape[1]], real, table=table)
        return pool(self.word_pooling, words, real)[0]


def width_of(pooling: nn.Module, config: ModelConfig) -> int:
    """Returns how wide a pooled vector is: its ``output_size``, or that of a state."""
    return int(getattr(pooling, "output_size", config.hidden_size))


def pool(
    pooling: nn.Module,
    states: Float[Tensor, "batch length hidden"],
    mask: Bool[Tensor, "batch length"],
) -> tuple[Float[Tensor, "batch pooled"], Float[Tensor, "batch *heads length"] | None]:
    """Returns the pooled vectors and, where the pooling gives any, its weights.

    Raises:
        Refused: If a user-defined pooling returns another shape.
    """
    returned: Any = pooling(states, mask)
    pooled, weights = returned if isinstance(returned, tuple) else (returned, None)
    wanted = (len(states), int(getattr(pooling, "output_size", states.shape[2])))
    if not isinstance(pooled, Tensor) or pooled.shape != wanted:
        found = tuple(pooled.shape) if isinstance(pooled, Tensor) else type(pooled).__name__
        raise Refused(
            f"{type(pooling).__name__} made {found} of states of shape {tuple(states.shape)}; "
            f"{wanted} is needed.",
            "Return one vector of the states' width per text (or of the width in its attribute "
            "output_size), and after it, where there are any, weights of the mask's shape.",
        )
    if weights is not None and not _fits(weights, mask):
        found = tuple(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
        raise Refused(
            f"{type(pooling).__name__} returned {found} as weights for a mask of shape "
            f"{tuple(mask.shape)}.",
            "Return weights of the mask's shape, perhaps with an axis for heads between.",
        )
    return pooled, weights


def _fits(weights: Any, mask: Tensor) -> bool:
    """Returns whether weights are batch x length, perhaps with heads between."""
    if not isinstance(weights, Tensor) or weights.ndim not in {2, 3}:
        return False
    return (weights.shape[0], weights.shape[-1]) == tuple(mask.shape)


def encode(
    encoder: nn.Module,
    inputs: Float[Tensor, "batch length width"],
    mask: Bool[Tensor, "batch length"],
    hidden_size: int,
) -> Float[Tensor, "batch length hidden"]:
    """Returns an encoder's states.

    Raises:
        Refused: If a user-defined encoder returns another shape.
    """
    states: Any = encoder(inputs, mask)
    wanted = (*mask.shape, hidden_size)
    if not isinstance(states, torch.Tensor) or states.shape != wanted:
        found = tuple(states.shape) if isinstance(states, Tensor) else type(states).__name__
        raise Refused(
            f"{type(encoder).__name__} made {found} of inputs of shape {tuple(inputs.shape)}; "
            f"{wanted} is needed.",
            "Return one state of hidden_size per token.",
        )
    return states
