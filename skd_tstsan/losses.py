"""Sec. 3.4, self-knowledge distillation: one function an equation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def class_weights(counts: Sequence[int]) -> Tensor:
    """alpha_k = (1/n_k) / sum_j (1/n_j), (K,): inverse class frequency (Sec. 3.4; released code).

    Raises ValueError for a class without samples.
    """
    n = torch.as_tensor(counts, dtype=torch.float32)
    if not (n > 0).all():
        raise ValueError(f"every class needs a sample to be weighted by its frequency; counts: {list(counts)}")
    return (1 / n) / (1 / n).sum()


def focal_loss(z: Tensor, y: Tensor, alpha: Tensor | None = None, *, gamma: float = 2.0) -> Tensor:
    """L_FL, Eq. (7): logits z (B, K), labels y (B,), class weights alpha (K,); scalar.

    Mean over the batch weighted by alpha_y (released code).
    """
    log_q = z.log_softmax(1)
    return F.nll_loss((1 - log_q.exp()) ** gamma * log_q, y, alpha)


def kl_loss(z_i: Tensor, z_C: Tensor, *, T: float = 3.0) -> Tensor:
    """L_KL, Eq. (8): an auxiliary classifier's logits (B, K) towards the deepest one's; scalar, mean over the batch."""
    return T**2 * F.kl_div((z_i / T).log_softmax(1), (z_C / T).log_softmax(1), reduction="batchmean", log_target=True)


def feature_loss(F_i: Tensor, F_C: Tensor, *, follow: str = "release") -> Tensor:
    """L_L2, Eq. (9): features (B, 384); scalar. follow "release": summed over the batch; "paper": its mean.

    The released code leaves out positions where neither feature is positive: as means of ReLUs, both are 0 there.
    """
    squares = (F_i - F_C).square().sum(1)
    return squares.sum() if follow == "release" else squares.mean()


def skd_loss(logits: Sequence[Tensor], features: Sequence[Tensor], y: Tensor, alpha: Tensor | None = None, *,
             gamma: float = 2.0, lambda_1: float = 0.1, lambda_2: float = 1e-6, T: float = 3.0,
             follow: str = "release") -> dict[str, Tensor]:
    """Eq. (10): each classifier's logits (B, K) and features (B, 384), the deepest last -> weighted terms to sum up.

    The deepest classifier learns from the labels alone: it is detached where it teaches.
    """
    *z, z_C = logits
    *F_i, F_C = features
    terms = {"focal": focal_loss(z_C, y, alpha, gamma=gamma)}
    if z:
        terms["focal auxiliary"] = (1 - lambda_1) * sum(focal_loss(z_i, y, alpha, gamma=gamma) for z_i in z)
        terms["kl"] = lambda_1 * sum(kl_loss(z_i, z_C.detach(), T=T) for z_i in z)
        terms["l2"] = lambda_2 * sum(feature_loss(f, F_C.detach(), follow=follow) for f in F_i)
    return terms
