"""Eq. (1)-(12). Every loss is a mean over the batch; logits go in, never probabilities.

Every loss raises ValueError for an empty batch, which has no mean, and for tensors or labels that do not fit together.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import EIDOutput, MTMOutput, check_alike, marked

Norm = Literal["mean_square", "euclidean"]
Per = Literal["batch", "sample"]


def distance(a: Tensor, b: Tensor, norm: Norm = "mean_square") -> Tensor:
    """The ‖a − b‖₂ of Eq. (1) and (2) for (B, ...).

    Not in the paper: "mean_square", over all elements, so that λ's meaning does not depend on the image's size;
    "euclidean" is the norm as printed, a sample at a time. ValueError for another word.
    """
    check_batches(a=a, b=b)
    if norm == "mean_square":
        return F.mse_loss(a, b)
    if norm == "euclidean":
        return torch.linalg.vector_norm((a - b).flatten(1), dim=1).mean()
    raise ValueError(f"norm {norm!r}: expected 'mean_square' or 'euclidean'")


def check_batches(**tensors: Tensor) -> None:
    """Raises ValueError for tensors (B, ...) that differ in shape and would be broadcast, or that are empty."""
    check_alike(**tensors)
    if not all(tensor.numel() for tensor in tensors.values()):
        raise ValueError("an empty batch has no mean loss")


def cross_entropy(logits: Tensor, label: Tensor, reduction: str = "mean") -> Tensor:
    """torch's cross-entropy of logits (B, K) and labels (B,); ValueError for a label outside 0 … K − 1.

    Labels are checked on the CPU alone, since a check would wait for a GPU; torch skips labels of −100 there.
    """
    if logits.ndim != 2 or label.shape != logits.shape[:1] or label.is_floating_point():
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(label.shape)}, {label.dtype}: expected (B, K), (B,)"
        )
    check_batches(logits=logits)
    if label.is_cpu and not ((label >= 0) & (label < logits.shape[1])).all():
        raise ValueError(f"labels {label.min().item()} to {label.max().item()} for {logits.shape[1]} logits")
    return F.cross_entropy(logits, label, reduction=reduction)


def similarity_loss(f_E_s: Tensor, f_N_s: Tensor, norm: Norm = "mean_square") -> Tensor:
    """L_sim of identity embeddings (B, C, h, w), Eq. (1)."""
    return distance(f_E_s, f_N_s, norm)


def reconstruction_loss(x_E: Tensor, reconstruction: Tensor, norm: Norm = "mean_square") -> Tensor:
    """L_rec of images (B, 3, H, W) in [0, 1], Eq. (2)."""
    return distance(x_E, reconstruction, norm)


def identity_loss(logits: Tensor, s: Tensor) -> Tensor:
    """L_s of D_s's logits (B, subjects) and subjects (B,), Eq. (3): D_s lowers it, E raises it."""
    return cross_entropy(logits, s)


def expression_loss(logits: Tensor, y: Tensor) -> Tensor:
    """L_c, L_cls of D_e's logits (B, classes) and labels (B,), Eq. (4), (10)."""
    return cross_entropy(logits, y)


def eid_losses(
    out: EIDOutput,
    identity: Tensor,
    y: Tensor,
    s: Tensor,
    *,
    lambda_rec: float = 0.1,
    lambda_sim: float = 0.1,
    lambda_s: float = 0.1,
    norm: Norm = "mean_square",
) -> dict[str, Tensor]:
    """The weighted terms of L_EID, Eq. (5), for E, D_e and D_r; "L_s" enters with its minus.

    `identity` are `oppose(net.D_s, out.f_E_e)`'s logits (B, subjects); D_s itself learns from
    `identity_loss(net.D_s(out.f_E_e.detach()), s)`.
    """
    return {
        "L_c": expression_loss(out.expression, y),
        "L_rec": lambda_rec * reconstruction_loss(out.x_E, out.reconstruction, norm),
        "L_sim": lambda_sim * similarity_loss(out.f_E_s, out.f_N_s, norm),
        "L_s": -lambda_s * identity_loss(identity, s),
    }


def triplet_loss(
    f_anc: Tensor, f_pos: Tensor, f_neg: Tensor, *, margin: float = 1.0, normalise: bool = False
) -> Tensor:
    """L_tri of embeddings (B, C, h, w), Eq. (6).

    Not in the paper: the margin, 1, and `normalise`, each flattened embedding to length 1, which makes the term's
    gradient far weaker.
    """
    check_batches(f_anc=f_anc, f_pos=f_pos, f_neg=f_neg)
    f_anc, f_pos, f_neg = (f.flatten(1) for f in (f_anc, f_pos, f_neg))  # B, C h w
    if normalise:
        f_anc, f_pos, f_neg = (F.normalize(f, dim=1) for f in (f_anc, f_pos, f_neg))
    d_pos = torch.linalg.vector_norm(f_anc - f_pos, dim=1)
    d_neg = torch.linalg.vector_norm(f_anc - f_neg, dim=1)
    return F.relu(d_pos - d_neg + margin).mean()


def adversarial_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """L_D and L_adv, Eq. (8) and (9), the game of Eq. (7), of D's logits (B,) for f_pos and for f_anc.

    D learns from the first of `D(f_pos, f_anc.detach())`, MicroNet from the second of `oppose(D, f_pos, f_anc)`.
    """
    check_batches(real=real)
    check_batches(fake=fake)
    L_D = F.softplus(-real).mean() + F.softplus(fake).mean()  # −log σ(z) = softplus(−z), −log(1 − σ(z)) = softplus(z)
    L_adv = F.softplus(-fake).mean()
    return L_D, L_adv


def lir_loss(logits: Tensor, logits_pos: Tensor, y: Tensor, *, per: Per = "batch") -> Tensor:
    """L_LIR of MicroNet's logits of anchors and MacroNet's of positives (B, classes), both of labels y (B,), Eq. (11).

    Not in the paper: `per`, whether the two losses are compared as means over the batch or sample by sample.
    ValueError for another word.
    """
    check_batches(logits=logits, logits_pos=logits_pos)
    excess = cross_entropy(logits, y, "none") - cross_entropy(logits_pos, y, "none")  # B
    if per == "batch":
        return F.relu(excess.mean())
    if per == "sample":
        return F.relu(excess).mean()
    raise ValueError(f"per {per!r}: expected 'batch' or 'sample'")


def mtm_losses(
    out: MTMOutput,
    real: Tensor,
    fake: Tensor,
    y: Tensor,
    *,
    margin: float = 1.0,
    normalise: bool = False,
    per: Per = "batch",
    lambda_tri: float = 1e-3,
    lambda_adv: float = 1e-3,
    lambda_lir: float = 1e-3,
) -> dict[str, Tensor]:
    """The weighted terms of L_MTM, Eq. (12), for MicroNet; y (B,) are the anchors' labels.

    `real, fake` (G,) are `oppose(net.D, out.f_pos, out.f_anc)`. L_cls is over all anchors, the other terms over the
    guided ones; they are left out where a batch has none.
    """
    terms = {"L_cls": expression_loss(out.expression, y)}
    if out.guided.any():
        L_tri = triplet_loss(out.f_anc, out.f_pos, out.f_neg, margin=margin, normalise=normalise)
        _, L_adv = adversarial_losses(real, fake)
        L_LIR = lir_loss(marked(out.expression, out.guided), out.expression_pos, marked(y, out.guided), per=per)
        terms |= {"L_tri": lambda_tri * L_tri, "L_adv": lambda_adv * L_adv, "L_LIR": lambda_lir * L_LIR}
    return terms
