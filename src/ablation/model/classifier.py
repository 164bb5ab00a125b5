"""The classifier: embedding, encoder, pooling and a linear map to class scores."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ablation.config import ModelConfig
from ablation.errors import Refused
from ablation.model.dropout import Dropout
from ablation.model.embedding import Embedding


class Classifier(nn.Module):
    """Texts as token ids in, class scores out.

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
        self.head = nn.Linear(config.hidden_size, classes)

    def forward(
        self, tokens: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch classes"]:
        """Returns the logits."""
        embeddings = self.embedding_dropout(self.embedding(tokens))
        pooled = self.pooling(self.encoder(embeddings, mask), mask)
        if isinstance(pooled, tuple):
            pooled, _ = pooled
        if pooled.shape != (len(tokens), self.head.in_features):
            raise Refused(
                f"{type(self.pooling).__name__} returned shape {tuple(pooled.shape)} for "
                f"{len(tokens)} texts of {self.head.in_features} wide states; "
                f"{(len(tokens), self.head.in_features)} is needed.",
                "Return one vector of the states' width per text.",
            )
        logits: Tensor = self.head(self.pooled_dropout(pooled))
        return logits

    def clear_gradients(self) -> None:
        """Forgets all gradients; the embeddings' array stays, its touched rows set to zero."""
        for parameter in self.parameters():
            if parameter is not self.embedding.weight:
                parameter.grad = None
        self.embedding.clear_gradient()
