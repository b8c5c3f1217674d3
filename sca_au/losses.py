"""The objective of Sec. 3.5: each AU is a task of its own."""

import torch.nn.functional as F
from torch import Tensor


def au_loss(logits: Tensor, y: Tensor) -> Tensor:
    """L_a, the binary cross-entropy of every sample and AU: logits, y (B, M) -> (B, M). Eq. (4) with its minus sign.

    Raises ValueError for an empty batch, shapes that differ, and y outside [0, 1], which is checked on the CPU alone,
    since a check would wait for a GPU.
    """
    if logits.ndim != 2 or logits.shape != y.shape or not logits.numel():
        raise ValueError(f"expected logits and y of one shape (B, M), got {tuple(logits.shape)} and {tuple(y.shape)}")
    if y.is_cpu and not ((y >= 0) & (y <= 1)).all():
        raise ValueError(f"expected y of 0 and 1, got {y.min():g} to {y.max():g}")
    return F.binary_cross_entropy_with_logits(logits, y.to(logits.dtype), reduction="none")


def total_loss(logits: Tensor, y: Tensor) -> Tensor:
    """L_total, summed over the M AUs and averaged over the batch: logits, y (B, M) -> scalar. Eq. (5)."""
    return au_loss(logits, y).sum(1).mean()
