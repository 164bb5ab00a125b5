"""One run, as a plain loop: a generator of epoch records that returns the run's result."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ablation.records.metric import METRICS
from ablation.records.outcome import EpochRecord, Reason, RunResult
from ablation.task.text.config import RunConfig
from ablation.task.text.model import Classifier, Pretrained, build_classifier, pool
from ablation.task.text.model.by_hand import by_hand_alone, loss_and_gradients
from ablation.task.text.model.streams import generator
from ablation.task.text.shown import TOKENS, shown_texts
from ablation.task.text.train.adam import Adam
from ablation.task.text.train.batches import Batch, Documents, Texts, batches
from ablation.task.text.train.evaluate import logits_of, scores_of
from ablation.task.text.train.probes import Probes


def train(
    config: RunConfig,
    seed: int,
    splits: Mapping[str, Texts | Documents],
    *,
    vocabulary_size: int,
    classes: int,
    pretrained: Pretrained | None = None,
) -> Generator[EpochRecord, None, RunResult]:
    """Trains one classifier; yields a record per epoch and returns the result.

    The result depends on the arguments alone, its last digits also on the machine, its threads and
    whether they keep denormal numbers. The epoch is chosen on validation; test is evaluated once,
    with the weights that were chosen, so no choice can see it.

    Args:
        config: The complete run configuration.
        seed: Every random stream of the run derives from it.
        splits: ``train``, ``validation`` and ``test``, all on one device; with sentences for a
            hierarchical model.
        vocabulary_size: Number of token ids, padding included.
        classes: Number of classes.
        pretrained: Token ids and their embeddings, which then stay as they are.

    Raises:
        Refused: If a user-defined class cannot be found or returns a wrong shape.
    """
    began = time.perf_counter()
    fitted, validation = splits["train"], splits["validation"]
    device = fitted.labels.device
    sizes = {"vocabulary_size": vocabulary_size, "classes": classes}
    model = build_classifier(config.model, seed, **sizes, pretrained=pretrained, device=device)
    # User-defined modules may draw from PyTorch's own generator, as nn.Dropout does.
    torch.manual_seed(generator(seed, "global").initial_seed())
    optimizer = _adam(model, config)
    order = generator(seed, "order")
    chosen = _Chosen(model, config.train.select_on)
    probes = Probes(model, validation)
    at_start: dict[str, float] | None = probes.measure()

    for epoch in range(1, config.train.epochs + 1):
        model.train()
        losses, counts = [], []
        drawn = batches(fitted, config.train.batch_size, config.train.batching, order)
        for loss, count in _steps(model, optimizer, drawn):
            losses.append(loss)
            counts.append(count)
            if at_start is not None:
                metrics = at_start | probes.gradients()
                yield EpochRecord(epoch=0, seconds=time.perf_counter() - began, metrics=metrics)
                at_start = None
        optimizer.settle()
        metrics = {"train/loss": _mean(losses, counts)}
        reason = _failure(metrics["train/loss"], epoch, classes, model)
        if reason is None:
            on_validation = _validate(model, validation)
            chosen.offer(epoch, on_validation)
            metrics |= _named("validation", on_validation) | probes.measure() | probes.gradients()
            if not math.isfinite(on_validation["loss"]):
                reason = "nan_loss"
        seconds = time.perf_counter() - began
        yield EpochRecord(epoch=epoch, seconds=seconds, metrics=metrics)
        if reason is not None:
            return RunResult(status="FAILED", reason=reason, epoch=epoch, seconds=seconds)

    chosen.restore()
    return _result(model, chosen, splits["test"], began)


def _steps(
    model: Classifier, optimizer: Adam, drawn: Iterable[Batch]
) -> Iterator[tuple[Float[Tensor, ""], int]]:
    """Takes a step for each batch; yields its loss and size when its gradients are there."""
    # Inference mode saves some 0.4 us of each of a step's 300 calls; autograd has no part in them.
    alone = by_hand_alone(model)
    for batch in drawn:
        if not alone:  # else each of them is overwritten, as `by_hand_alone` says
            optimizer.clear_gradients()
        with torch.inference_mode(alone):
            rows = optimizer.look_up(batch.ids)
            loss = loss_and_gradients(model, batch.inputs, rows, batch.labels, batch.places)
        yield loss, len(batch.labels)
        with torch.inference_mode(alone):
            optimizer.step()


def _adam(model: Classifier, config: RunConfig) -> Adam:
    rate = config.train.learning_rate
    return Adam(model.parameters(), rate, table=model.embedding.weight)


class _Chosen:
    """The weights of the best epoch so far on validation, the earliest of equal ones; or the last.

    Args:
        model: What is trained.
        metric: By what an epoch is better than another.
    """

    def __init__(self, model: Classifier, metric: str) -> None:
        self.weights = model.state_dict()
        # The last weights are the model's own: no copy, of 15 MB with all words of ag_news.
        copied = self.weights if metric != "last" else {}
        self.kept = {name: torch.empty_like(tensor) for name, tensor in copied.items()}
        self.metric = metric
        self.epoch = 0
        self.metrics: dict[str, float] = {}

    def offer(self, epoch: int, metrics: dict[str, float]) -> None:
        if self.metric != "last" and self.epoch:
            sign = METRICS[self.metric].direction
            if sign * metrics[self.metric] <= sign * self.metrics[self.metric]:
                return
        self.epoch, self.metrics = epoch, metrics
        for name, kept in self.kept.items():
            kept.copy_(self.weights[name])

    def restore(self) -> None:
        for name, kept in self.kept.items():
            self.weights[name].copy_(kept)


def _mean(losses: list[Tensor], counts: list[int]) -> float:
    """Returns the mean over the texts of an epoch of the means over those of each batch."""
    return float(np.average(torch.stack(losses).double().cpu().numpy(), weights=counts))


def _validate(model: Classifier, validation: Texts | Documents) -> dict[str, float]:
    """Returns the metrics of validation, in evaluation mode."""
    model.eval()
    return scores_of(logits_of(model, validation), validation.labels)


def _named(split: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns ``split/metric`` to value."""
    return {f"{split}/{name}": value for name, value in metrics.items()}


def _failure(train_loss: float, epoch: int, classes: int, model: Classifier) -> Reason | None:
    """Says why the run ends here, if it does."""
    if not math.isfinite(train_loss):
        return "nan_loss"
    # The extremes of a tensor with a NaN are NaN; asking of every entry takes ten times as long.
    if not all(torch.stack(each.aminmax()).isfinite().all() for each in model.parameters()):
        return "nan_grad"
    if epoch > 1 and train_loss > 10 * math.log(classes):
        return "diverged"
    return None


def _result(
    model: Classifier, chosen: _Chosen, test: Texts | Documents, began: float
) -> RunResult:
    """Evaluates test once and gathers what the run leaves behind."""
    model.eval()
    logits = logits_of(model, test)
    metrics = _named("validation", chosen.metrics)
    metrics |= _named("test", scores_of(logits, test.labels))
    if not math.isfinite(metrics["test/loss"]):
        seconds = time.perf_counter() - began
        return RunResult(status="FAILED", reason="nan_loss", epoch=chosen.epoch, seconds=seconds)
    right = (logits.argmax(dim=1) == test.labels).cpu().numpy()
    return RunResult(
        status="FINISHED",
        epoch=chosen.epoch,
        seconds=time.perf_counter() - began,
        metrics=metrics,
        weights_hash=_hash(chosen.weights),
        logits_hash=_hash({"logits": logits}),
        correct=np.packbits(right).tobytes(),
        attention=_attention(model, test),
        parameters=sum(each.numel() for each in model.parameters()),
    )


@torch.no_grad()
def _attention(model: Classifier, test: Texts | Documents) -> bytes:
    """Returns the weights on the tokens of the shown texts, the mean of heads; see ``shown``."""
    if isinstance(test, Documents):
        return b""
    ends = (test.starts + test.lengths).cpu().numpy()
    chosen = shown_texts(test.tokens.cpu().numpy(), np.concatenate(([0], ends)))
    states, mask = model.states(*test.batch(torch.from_numpy(chosen).to(test.labels.device)))
    _, weights = pool(model.pooling, states, mask)
    if weights is None:
        return b""
    flat = weights.mean(dim=1) if weights.ndim > mask.ndim else weights
    return flat[:, :TOKENS][mask[:, :TOKENS]].half().cpu().numpy().tobytes()


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of the tensors' bytes, by name."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    return sha.hexdigest()
