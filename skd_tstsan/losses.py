"""Sec. 3.4, self-knowledge distillation: one function per equation.

follow: "release" or "paper", where the released code and the equation as printed differ. Each raises ValueError for an
empty batch and for shapes that do not fit; values are checked on the CPU alone, since a check would wait for a GPU.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Follow = Literal["release", "paper"]


def class_weights(counts: Sequence[int]) -> Tensor:
    """alpha_k = (1/n_k) / sum_j (1/n_j), (K,): inverse class frequency (Sec. 3.4; released code).

    Raises ValueError for a class without samples.
    """
    n = torch.as_tensor(counts, dtype=torch.float32)
    if n.ndim != 1 or not len(n) or not (n > 0).all():
        raise ValueError(f"counts {list(counts)}: expected at least one sample of each class")
    return (1 / n) / (1 / n).sum()


def focal_loss(
    z: Tensor, y: Tensor, alpha: Tensor | None = None, *, gamma: float = 2.0, follow: Follow = "release"
) -> Tensor:
    """L_FL, Eq. (7): logits z (B, K), labels y (B,) int64, class weights alpha (K,) or None for ones; scalar.

    The sum over classes has one term, that of the label. follow "release": its mean over the batch weighted by alpha_y,
    so that alpha's size does not matter; "paper": its plain mean.
    """
    release = is_release(follow)
    check_alike(z)
    outside = y.is_cpu and bool(((y < 0) | (y >= z.shape[1])).any())
    if y.shape != z.shape[:1] or y.dtype != torch.int64 or outside:
        raise ValueError(
            f"labels {tuple(y.shape)} {y.dtype}, {y.flatten()[:9].tolist()}: expected ({len(z)},) int64 from 0 to "
            f"{z.shape[1] - 1}, one for each of the logits {tuple(z.shape)}"
        )
    if alpha is not None and (alpha.shape != z.shape[1:] or (alpha.is_cpu and not (alpha >= 0).all())):
        raise ValueError(f"alpha {alpha.tolist()}: expected {z.shape[1]} weights of 0 or more, one for each class")
    if gamma < 0:
        raise ValueError(f"gamma={gamma}: expected 0 or more")
    log_q = z.log_softmax(1).gather(1, y.unsqueeze(1)).squeeze(1)
    doubt = (-log_q.expm1()).clamp_min(torch.finfo(log_q.dtype).tiny)  # 1 - q; a power below 1 has no gradient at 0
    terms = -(doubt**gamma) * log_q
    if alpha is None:
        return terms.mean()
    weights = alpha[y].to(terms.dtype)
    if not release:
        return (weights * terms).mean()
    return (weights * terms).sum() / weights.sum().clamp_min(torch.finfo(terms.dtype).tiny)  # without any weight: 0


def kl_loss(z_i: Tensor, z_C: Tensor, *, T: float = 3.0) -> Tensor:
    """L_KL, Eq. (8), of an auxiliary classifier's logits (B, K) from the deepest one's; scalar, mean over the batch."""
    check_alike(z_i, z_C)
    if T <= 0:
        raise ValueError(f"T={T}: expected a temperature above 0")
    return T**2 * F.kl_div((z_i / T).log_softmax(1), (z_C / T).log_softmax(1), reduction="batchmean", log_target=True)


def feature_loss(F_i: Tensor, F_C: Tensor, *, follow: Follow = "release") -> Tensor:
    """L_L2, Eq. (9): features (B, 384); scalar. follow "release": summed over the batch; "paper": its mean.

    The released code leaves out positions where neither feature is positive: as means of ReLUs, both are 0 there.
    """
    check_alike(F_i, F_C)
    squares = (F_i - F_C).square().sum(1)
    return squares.sum() if is_release(follow) else squares.mean()


def skd_loss(
    logits: Sequence[Tensor],
    features: Sequence[Tensor],
    y: Tensor,
    alpha: Tensor | None = None,
    *,
    gamma: float = 2.0,
    lambda_1: float = 0.1,
    lambda_2: float = 1e-6,
    T: float = 3.0,
    follow: Follow = "release",
) -> dict[str, Tensor]:
    """Eq. (10) as weighted terms to be summed, of the classifiers' logits (B, K) and features (B, 384), deepest last.

    The deepest classifier learns from the labels alone: it is detached where it teaches.
    """
    if not len(logits) or len(logits) != len(features):
        raise ValueError(
            f"{len(logits)} logits and {len(features)} features: expected one of each per classifier, the deepest last"
        )
    *z, z_C = logits
    *F_i, F_C = features
    terms = {"focal": focal_loss(z_C, y, alpha, gamma=gamma, follow=follow)}
    if z:
        focal = (focal_loss(z_i, y, alpha, gamma=gamma, follow=follow) for z_i in z)
        terms["focal auxiliary"] = (1 - lambda_1) * reduce(add, focal)
        terms["kl"] = lambda_1 * reduce(add, (kl_loss(z_i, z_C.detach(), T=T) for z_i in z))
        terms["l2"] = lambda_2 * reduce(add, (feature_loss(f, F_C.detach(), follow=follow) for f in F_i))
    return terms


def is_release(follow: Follow) -> bool:
    """Whether `follow` is "release" rather than "paper"; raises ValueError for any other word."""
    if follow not in ("release", "paper"):
        raise ValueError(f'follow={follow!r}: expected "release" or "paper"')
    return follow == "release"


def check_alike(*batches: Tensor) -> None:
    """Raises ValueError unless all are (B, n) of one shape, with at least one sample."""
    if any(x.ndim != 2 or not x.numel() or x.shape != batches[0].shape for x in batches):
        shapes = " and ".join(str(tuple(x.shape)) for x in batches)
        raise ValueError(f"{shapes}: expected (B, n), of one shape and with at least one sample")
