"""Eq. (1)-(16): the losses of the teacher, of the student and of the distillation methods it is compared with.

A feature list is one view's activations (B, C, H, W), a tensor a layer, first layer first.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

AUS = (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)  # the AUs of EmotioNet, in the teacher's order (Sec. IV-A)
RATIOS = (0.2, 0.3, 0.2, 0.2, 0.5, 0.2, 0.5, 0.2, 0.1, 0.5, 0.2, 0.3)  # w: wanted share of positives (released code)


class Output(NamedTuple):
    """What a network of V views hands to its losses; C AUs."""

    views: Tensor  # logits of each view: teacher (V, B, C), student (V, B, C, 2)
    fused: Tensor  # logits that are scored: teacher (B, C), student (B, C, 2)
    W: Tensor  # classifiers for Eq. (3) and (7): (V, rows, D)
    features: list[list[Tensor]]  # of each view the activations of conv1 (before BN) and of the four stages


def is_release(follow: str) -> bool:
    """Whether `follow` is "release" rather than "paper"; raises ValueError for any other word."""
    if follow not in ("paper", "release"):
        raise ValueError(f'follow={follow!r}: expected "paper" or "release"')
    return follow == "release"


# Sec. III-B: the teacher


def selective_weights(
    p: Tensor,
    ratios: Sequence[float] = RATIOS,
    *,
    selective: str = "release",
    lots: Tensor | None = None,
) -> Tensor:
    """a_c, Eq. (1): weights (B, C) that bring labels p (B, C), 1, 0 or NaN (missing), to `ratios` positives.

    "release" (released code): where positives are too few, ceil(N_c w_c) negatives drawn at random keep weight 1, the
    others get 0. "original" (selective learning, AAAI 2018): of the class that is too frequent a random part is kept,
    the class that is too rare is weighted up. A missing label weighs 0. `lots` (B, C) decide the draws, lowest first;
    by default torch draws them, uniform in [0, 1). Raises ValueError for another `selective`.
    """
    positive, negative = p == 1, p == 0
    lots = torch.rand(p.shape, device=p.device) if lots is None else lots
    N = (positive | negative).sum(0)
    w = torch.tensor(ratios, dtype=torch.float64, device=p.device)
    wanted = (N * w).round(decimals=6)  # 10 x 0.3 is 3, not a hair above it
    if selective == "release":
        kept = torch.where(positive.sum(0) < wanted, wanted.ceil(), N)
        return (positive | _draw(negative, kept, lots)).float()
    if selective == "original":
        a = torch.zeros_like(p, dtype=torch.float32)
        for members, want in ((positive, wanted), (negative, N - wanted)):
            have = members.sum(0)
            rare = members * (want / have.clamp(min=1))
            a += torch.where(have < want, rare, _draw(members, want.round(), lots)).float()
        return a
    raise ValueError(f'selective={selective!r}: expected "release" or "original"')


def _draw(members: Tensor, n: Tensor, lots: Tensor) -> Tensor:
    """At most n (C) of the members (B, C) of each column: those with the lowest lots."""
    return members & (lots.masked_fill(~members, torch.inf).argsort(0).argsort(0) < n)


def teacher_view_loss(z: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """L'_vi, Eq. (1): mean over the images that carry a label; logits z, labels p (NaN missing), weights a: (B, C)."""
    known = ~p.isnan()
    C = p.shape[1]
    total = F.binary_cross_entropy_with_logits(z, p.nan_to_num(), weight=a * known, reduction="sum")
    return total / (C * known.any(1).sum().clamp(min=1))


def co_regularization_loss(z_1: Tensor, z_2: Tensor, *, follow: str = "paper") -> Tensor:
    """L'_cr, Eq. (2): Jensen-Shannon divergence of the two views' predictions, logits (B, C), mean over AUs and images.

    The released code clips the probabilities to [0.001, 0.999] first. It also takes the absolute value of the mean
    difference, which is never negative.
    """
    if is_release(follow):
        z_1, z_2 = (z.sigmoid().clamp(1e-3, 1 - 1e-3).logit() for z in (z_1, z_2))
    log_p, log_q = (torch.logaddexp(F.logsigmoid(s * z_1), F.logsigmoid(s * z_2)) - math.log(2) for s in (1, -1))
    H_mean = -(log_p.exp() * log_p + log_q.exp() * log_q)
    H_1, H_2 = (F.softplus(z) - z * z.sigmoid() for z in (z_1, z_2))
    return (H_mean - (H_1 + H_2) / 2).mean()


def multi_view_loss(W_1: Tensor, W_2: Tensor) -> Tensor:
    """L_mv, Eq. (3) and (7): mean |cos| of the two views' classifiers (C, D), an AU a row.

    Printed without the absolute value, Eq. (3) is least where the classifiers are opposite, not where they are
    orthogonal as the text says; the released code takes the absolute value.
    """
    return F.cosine_similarity(W_1, W_2, dim=1).abs().mean()


def teacher_loss(
    output: Output,
    p: Tensor,
    a: Tensor,
    *,
    lambda_mv: float = 400.0,
    lambda_cr: float = 100.0,
    cr_on: str = "unlabelled",
    follow: str = "paper",
) -> dict[str, Tensor]:
    """Eq. (4) as weighted terms to be summed, of a Teacher's output and labels p (B, C); a teacher of one view has L_v.

    An image of which no label is known is unlabelled. Raises ValueError where cr_on is not "unlabelled" or "all".
    """
    if cr_on not in ("unlabelled", "all"):
        raise ValueError(f'cr_on={cr_on!r}: expected "unlabelled" or "all"')
    terms = {"L_v": torch.stack([teacher_view_loss(z, p, a) for z in output.views]).mean()}
    if len(output.views) == 2:
        terms["L_mv"] = lambda_mv * multi_view_loss(*output.W)
        z_1, z_2 = output.views if cr_on == "all" else output.views[:, p.isnan().all(1)]
        L_cr = co_regularization_loss(z_1, z_2, follow=follow) if len(z_1) else z_1.sum()  # 0 of no image
        terms["L_cr"] = lambda_cr * L_cr
    return terms


# Sec. III-C-1: micro-expression AU detection


def student_view_loss(z: Tensor, p: Tensor) -> Tensor:
    """L_vi and L_vs, Eq. (5) and (6): cross-entropy of N two-way softmaxes, z (B, N, 2), p (B, N), mean over images.

    Printed, the second term has the wrong sign: it would reward a wrong "absent".
    """
    return F.cross_entropy(z.flatten(0, 1), p.flatten().long())


# Sec. III-C-2: knowledge distillation


def attention(A: Tensor) -> Tensor:
    """At, Eq. (9) and (10): A (B, C, H, W) -> (B, 1, H, W)."""
    return A.square().sum(1, keepdim=True)


def similarity(Q: Tensor) -> Tensor:
    """G, Eq. (13) and (14): Q (B, ...) -> (B, B), rows of length 1."""
    Q = Q.flatten(1)
    Q = Q / Q.detach().abs().max().clamp(min=1e-30)  # G is blind to scale; |A|^12 would leave the range of float32
    return F.normalize(Q @ Q.T, dim=1)


def asp_loss(A_T: Sequence[Tensor], A_S: Sequence[Tensor], *, follow: str = "paper") -> Tensor:
    """L_asp_i, Eq. (9)-(15), of one view's teacher and student feature lists; only B has to agree.

    The released code divides At by its spatial L2 norm and takes the mean over layers instead of the sum.
    """

    def G(A: Tensor) -> Tensor:
        At = attention(A)
        if is_release(follow):
            At = At / (At.flatten(1).norm(dim=1)[:, None, None, None] + 1e-6)
        return similarity(At * A)  # Eq. (11), (12)

    return _distance(G, A_T, A_S) / (len(A_T) if is_release(follow) else 1)


def sp_loss(A_T: Sequence[Tensor], A_S: Sequence[Tensor]) -> Tensor:
    """Similarity-preserving distillation [28]: Eq. (13)-(15) without the attention."""
    return _distance(similarity, A_T, A_S)


def _distance(G: Callable[[Tensor], Tensor], A_T: Sequence[Tensor], A_S: Sequence[Tensor]) -> Tensor:
    """Eq. (15), left: sum over layers of |G(A_T) - G(A_S)|^2_F / b^2."""
    return torch.stack([(G(T) - G(S)).square().mean() for T, S in zip(A_T, A_S, strict=True)]).sum()


def at_loss(A_T: Sequence[Tensor], A_S: Sequence[Tensor]) -> Tensor:
    """Attention transfer [15], p = 2: mean over layers of the squared distance of normalised maps, H and W agreeing.

    Divided by the number of elements, as its weight of 1000 supposes.
    """
    maps = ([F.normalize(attention(A).flatten(1), dim=1) for A in features] for features in (A_T, A_S))
    return torch.stack([F.mse_loss(S, T) for T, S in zip(*maps, strict=True)]).mean()


def fit_loss(A_T: Sequence[Tensor], A_S: Sequence[Tensor]) -> Tensor:
    """FitNets [25]: mean squared error of the last layer, whose shapes agree here without a regressor."""
    return F.mse_loss(A_S[-1], A_T[-1])


DISTILLATION = {"Fit": fit_loss, "AT": at_loss, "SP": sp_loss, "ASP": asp_loss}
ALPHA = {"Fit": 100.0, "AT": 1000.0, "SP": 3000.0, "ASP": 100.0}  # ASP: Sec. IV-C; the others: their usual values


def student_loss(
    output: Output,
    p: Tensor,
    teacher: Output | None = None,
    *,
    lambda_mv: float = 100.0,
    method: str = "ASP",
    alpha: float | None = None,
    follow: str = "paper",
) -> dict[str, Tensor]:
    """Eq. (8) and (16) as weighted terms to be summed, of a student's output, labels p (B, N) and the teacher's output.

    One view has L_v and the distillation only. Without a teacher there is no distillation; alpha is the method's
    own where None. The released code also distils conv1 in ASP, and sums over views where Eq. (15) takes the mean.
    """
    terms = {"L_v": torch.stack([student_view_loss(z, p) for z in output.views]).mean()}
    if len(output.views) == 2:
        terms["L_vs"] = student_view_loss(output.fused, p)
        terms["L_mv"] = lambda_mv * multi_view_loss(*output.W)
    if teacher is not None:
        alpha = ALPHA[method] if alpha is None else alpha
        release = method == "ASP" and is_release(follow)
        options = {"follow": follow} if method == "ASP" else {}
        layers = slice(0 if release else 1, None)
        pairs = zip(teacher.features, output.features, strict=True)
        losses = [DISTILLATION[method](A_T[layers], A_S[layers], **options) for A_T, A_S in pairs]
        terms[f"L_{method.lower()}"] = alpha * torch.stack(losses).sum() / (1 if release else len(losses))
    return terms
