r"""Computes a classifier's loss and gradients by hand, bit for bit those of autograd.

In a small model's step autograd's bookkeeping costs as much as the arithmetic. Each function of a
part returns its output and a *pullback*: a function that maps the gradient of the output to that
of the input, and stores the gradients of the part's parameters. A pullback may overwrite the
gradient that it is given. All call the kernels that autograd calls, and add in its order. A part
without such a function is differentiated by autograd, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor, nn

from ablation.task.text.model.attention import AttentionPooling
from ablation.task.text.model.classifier import Classifier, encode_states, pool
from ablation.task.text.model.dropout import Dropout
from ablation.task.text.model.encoders import CNN, NoEncoder, convolves_here, windows_of
from ablation.task.text.model.weights import Masking, softmax

Pullback = Callable[[Tensor], Tensor]

Places = tuple[Int32[Tensor, " tokens"], Int32[Tensor, " distinct"]]
"""Places of tokens in a flat batch, those of a table's first row first, then of its second, and so
on; and where each row's begin among them."""

aten = torch.ops.aten

OURS = f"{__package__}."

MEAN, NONE_IGNORED = 1, -100
"""Arguments of PyTorch's loss: its reduction, and a label that no text has."""

SUM = 0
"""What PyTorch's bag of embeddings computes of its rows."""


def loss_and_gradients(
    model: Classifier,
    inputs: tuple[Tensor, ...],
    table: Float[Tensor, "distinct embedding"],
    labels: Int[Tensor, " batch"],
    places: Places,
) -> Float[Tensor, ""]:
    """Returns the mean cross-entropy of a batch, and stores the gradients of all that is fitted.

    Args:
        model: In training mode; its parameters have no gradients yet.
        inputs: Arguments of the model.
        table: The rows of the batch's tokens; a leaf, whose gradient is stored, too.
        labels: Class numbers.
        places: Where each row's tokens are.
    """
    if not _can(model, table):
        loss = F.cross_entropy(model(*inputs, table=table), labels)
        loss.backward()
        return loss.detach()
    tokens, mask = inputs
    with torch.no_grad():
        embedded, to_table = _embed(tokens, table, places)
        dropped, to_embedded = _drop(model.embedding_dropout, embedded)
        states, to_dropped = _encode(model, dropped, mask)
        pooled, to_states = _pool(model.pooling, states, mask)
        kept, to_pooled = _drop(model.pooled_dropout, pooled)
        logits, to_kept = _map(model.head, kept)
        loss, gradient = _cross_entropy(logits, labels)
        to_table(to_embedded(to_dropped(to_states(to_pooled(to_kept(gradient))))))
    return loss


def by_hand_alone(model: Classifier) -> bool:
    """Returns whether no part of a model is differentiated by autograd.

    Each gradient is then assigned by a step, and added to none that is there.
    """
    encoder, pooling = model.encoder, model.pooling
    return (
        _can(model, model.embedding.weight)
        and (_passes(encoder) or _multiplies(encoder))
        and _is_fitted(pooling)
        and _plain(pooling.masking)
    )


def _passes(encoder: nn.Module) -> bool:
    """Returns whether an encoder's states are the embeddings."""
    return type(encoder) is NoEncoder and isinstance(encoder.map, nn.Identity)


def _multiplies(encoder: nn.Module) -> TypeGuard[CNN]:
    """Returns whether an encoder is a convolution that is a matrix product here."""
    return type(encoder) is CNN and not convolves_here()


def _plain(masking: Masking) -> bool:
    """Returns whether scores are normalised by a softmax in their own type."""
    return masking.normaliser is softmax and masking.dtype is None


def _can(model: Classifier, table: Tensor) -> bool:
    """Returns whether the parts of a model may be called one by one, on a CPU."""
    # A user-defined part may overwrite its input, which must not be a leaf then.
    ours = (type(each).__module__.startswith(OURS) for each in (model.encoder, model.pooling))
    return type(model) is Classifier and table.requires_grad and not table.is_cuda and all(ours)


def _by_autograd(part: Callable[[Tensor], Tensor], given: Tensor) -> tuple[Tensor, Pullback]:
    """Returns the output of any part, and its pullback."""
    leaf = given.detach().requires_grad_()
    with torch.enable_grad():
        output = part(leaf)

    def pull(gradient: Tensor) -> Tensor:
        output.backward(gradient)
        return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad

    return output.detach(), pull


def _embed(
    tokens: Int[Tensor, "batch length"],
    table: Float[Tensor, "distinct embedding"],
    places: Places,
) -> tuple[Float[Tensor, "batch length embedding"], Pullback]:
    order, starts = places

    def pull(gradient: Tensor) -> Tensor:
        # Adds in the order of autograd's index_add_, which sorts the tokens: half of its time.
        table.grad = torch.embedding_bag(gradient.flatten(0, 1), order, starts, False, SUM)[0]
        return table.grad

    return table.index_select(0, tokens.flatten()).view(*tokens.shape, -1), pull


def _drop(dropout: Dropout, states: Tensor) -> tuple[Tensor, Pullback]:
    """Overwrites the states."""
    if dropout.dropped == 0:
        return states, lambda gradient: gradient
    factors = dropout.factors(states)
    return states.mul_(factors), lambda gradient: gradient.mul_(factors)


def _encode(
    model: Classifier,
    embeddings: Float[Tensor, "batch length embedding"],
    mask: Bool[Tensor, "batch length"],
) -> tuple[Float[Tensor, "batch length hidden"], Pullback]:
    encoder = model.encoder
    if _passes(encoder):
        return embeddings, lambda gradient: gradient
    if _multiplies(encoder):
        return _convolve(encoder, embeddings)
    return _by_autograd(
        lambda leaf: encode_states(encoder, leaf, mask, model.hidden_size), embeddings
    )


def _convolve(
    cnn: CNN, embeddings: Float[Tensor, "batch length embedding"]
) -> tuple[Float[Tensor, "batch length hidden"], Pullback]:
    batch, length, width = embeddings.shape
    windows = windows_of(embeddings).flatten(0, 1)
    states = torch.addmm(cnn.bias, windows, cnn.weight.t()).relu_()

    def pull(gradient: Tensor) -> Tensor:
        flat = aten.threshold_backward.default(gradient.flatten(0, 1), states, 0)
        cnn.bias.grad = flat.sum(0)
        cnn.weight.grad = flat.t().mm(windows)
        parts = flat.mm(cnn.weight).view(batch, length, 3, width)
        found: Tensor = parts[:, :, 1].contiguous()
        found[:, 1:] += parts[:, :-1, 2]
        found[:, :-1] += parts[:, 1:, 0]
        return found

    return states.view(batch, length, -1), pull


def _pool(
    pooling: nn.Module,
    states: Float[Tensor, "batch length hidden"],
    mask: Bool[Tensor, "batch length"],
) -> tuple[Float[Tensor, "batch pooled"], Pullback]:
    if _is_fitted(pooling):
        return _attend(pooling, states, mask)
    return _by_autograd(lambda leaf: pool(pooling, leaf, mask)[0], states)


def _is_fitted(pooling: nn.Module) -> TypeGuard[AttentionPooling]:
    """Returns whether a pooling is attention all of whose tensors are fitted."""
    if type(pooling) is not AttentionPooling:
        return False
    tensors = (pooling.weight, pooling.query, pooling.bias)
    return all(each is None or each.requires_grad for each in tensors)


def _attend(
    pooling: AttentionPooling,
    states: Float[Tensor, "batch length hidden"],
    mask: Bool[Tensor, "batch length"],
) -> tuple[Float[Tensor, "batch hidden"], Pullback]:
    weight, bias, query = pooling.weight, pooling.bias, pooling.query
    flat = states.flatten(0, 1)
    direction = weight.mv(query)
    offset = None if bias is None else bias.dot(query)
    scores = flat.mv(direction) if offset is None else torch.addmv(offset, flat, direction)
    weights, to_scores = _normalise(pooling.masking, scores.view(mask.shape), mask)
    summed = torch.bmm(weights.unsqueeze(1), states).squeeze(1)
    total = weights.sum(dim=1, keepdim=True)
    pooled = summed
    if pooling.values == "keys":
        pooled = summed.mm(weight)
        if bias is not None:
            pooled = torch.addcmul(pooled, total, bias)

    def pull(gradient: Tensor) -> Tensor:
        to_summed = gradient
        if pooling.values == "keys":
            to_summed = gradient.mm(weight.t())
        to_summed = to_summed.unsqueeze(1)
        to_weights = torch.bmm(to_summed, states.transpose(1, 2)).squeeze(1)
        if bias is not None:
            to_weights += (gradient * bias).sum(dim=1, keepdim=True)
        of_scores = to_scores(to_weights).flatten()
        to_direction = flat.t().mv(of_scores)
        weight.grad = torch.outer(to_direction, query)
        if pooling.values == "keys":
            weight.grad += summed.t().mm(gradient)
        query.grad = weight.t().mv(to_direction)
        if bias is not None:
            to_offset = of_scores.sum()
            bias.grad = (gradient * total).sum(0) + to_offset * query
            query.grad += to_offset * bias
        found = torch.bmm(weights.unsqueeze(2), to_summed)
        return found.add_(torch.outer(of_scores, direction).view_as(found))

    return pooled, pull


def _normalise(
    masking: Masking, scores: Float[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]
) -> tuple[Float[Tensor, "batch length"], Pullback]:
    if not _plain(masking):
        return _by_autograd(lambda leaf: masking(leaf, mask), scores)
    padding = None if mask.all() else ~mask
    if padding is not None:
        scores = scores.masked_fill(padding, masking.number(scores.dtype))
    shares = scores.softmax(dim=-1)
    hidden = padding if masking.second_masking else None
    weights = shares if hidden is None else shares.masked_fill(hidden, 0.0)

    def pull(gradient: Tensor) -> Tensor:
        if hidden is not None:
            gradient.masked_fill_(hidden, 0.0)
        found: Tensor = torch._softmax_backward_data(gradient, shares, -1, shares.dtype)
        return found if padding is None else found.masked_fill_(padding, 0.0)

    return weights, pull


def _map(
    linear: nn.Linear, given: Float[Tensor, "batch width"]
) -> tuple[Float[Tensor, "batch outputs"], Pullback]:
    def pull(gradient: Tensor) -> Tensor:
        linear.bias.grad = gradient.sum(0)
        linear.weight.grad = gradient.t().mm(given)
        return gradient.mm(linear.weight)

    return torch.addmm(linear.bias, given, linear.weight.t()), pull


def _cross_entropy(
    logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Returns the loss and the gradient of the logits."""
    shares = logits.log_softmax(dim=1)
    options = (labels, None, MEAN, NONE_IGNORED)
    loss, count = aten.nll_loss_forward.default(shares, *options)
    gradient = aten.nll_loss_backward.default(torch.ones_like(loss), shares, *options, count)
    return loss, torch._log_softmax_backward_data(gradient, shares, 1, shares.dtype)
