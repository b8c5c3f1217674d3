"""Eq. (1)-(16): the losses of the teacher, the student, and the distillation methods that ASP is compared with.

Features are the activations of one view: a tensor (B, C, H, W), or a sequence of them, one for each layer, the first
layer first. Half precision is computed in float32. Shapes and labels that do not fit raise ValueError.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

AUS = (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)  # the AUs of EmotioNet, in the teacher's order (Sec. IV-A)
Features = Tensor | Sequence[Tensor]
Follow = Literal["paper", "release"]
RATIOS = (0.2, 0.3, 0.2, 0.2, 0.5, 0.2, 0.5, 0.2, 0.1, 0.5, 0.2, 0.3)  # w: wanted share of positives (released code)


class Output(NamedTuple):
    """The output of a network of V views, for its losses; C AUs."""

    views: Tensor  # logits of each view: teacher (V, B, C), student (V, B, C, 2)
    fused: Tensor  # logits that are scored: teacher (B, C), student (B, C, 2)
    W: Tensor  # classifiers for Eq. (3) and (7): (V, rows, D)
    features: list[list[Tensor]]  # of each view the activations of conv1 (before BN) and of the four stages


def is_release(follow: Follow) -> bool:
    """Whether `follow` is "release" rather than "paper"; raises ValueError for any other word."""
    if follow not in ("paper", "release"):
        raise ValueError(f'follow={follow!r}: expected "paper" or "release"')
    return follow == "release"


def at_least_single(x: Tensor) -> Tensor:
    """Half precision as float32: squares of activations of 22, summed over channels, overflow float16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def check_alike(**tensors: Tensor) -> None:
    """Raises ValueError where the tensors differ in shape or are empty."""
    if len({x.shape for x in tensors.values()}) > 1 or not next(iter(tensors.values())).numel():
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in tensors.items())
        raise ValueError(f"{shapes}: expected the same shape, of at least one image")


def _check_labels(p: Tensor, *, missing: bool) -> None:
    """Raises ValueError where labels are not 1, 0 or, if they may be missing, NaN; checked on the CPU alone, since a
    check would wait for a GPU."""
    if not p.is_cpu:
        return
    known = (p == 0) | (p == 1) | (p.isnan() if missing else False)
    if not known.all():
        raise ValueError(f"a label is {p[~known][0].item():g}: expected 1, 0{' or NaN (missing)' * missing}")


# Sec. III-B: the teacher


def selective_weights(
    p: Tensor,
    ratios: Sequence[float] = RATIOS,
    *,
    selective: Literal["release", "original"] = "release",
    noise: Tensor | None = None,
) -> Tensor:
    """a_c, Eq. (1): weights (B, C) that bring labels p (B, C), 1, 0 or NaN (missing), to `ratios` positives.

    "release" (released code): where positives are too few, ceil(N_c w_c) negatives drawn at random keep weight 1, the
    others get 0. "original" (selective learning, AAAI 2018): of the class that is too frequent a random part is kept,
    the class that is too rare is weighted up. A missing label weighs 0. `noise` (B, C), by default uniform in [0, 1)
    from torch, decides which are drawn: the lowest first.
    """
    if p.ndim != 2 or p.shape[1] != len(ratios):
        raise ValueError(
            f"labels {tuple(p.shape)} and {len(ratios)} ratios: expected (B, {len(ratios)}), a ratio for each AU; the "
            f"released ones are for AUs {', '.join(map(str, AUS))}: give `ratios` for others"
        )
    _check_labels(p, missing=True)
    positive, negative = p == 1, p == 0
    noise = torch.rand(p.shape, device=p.device) if noise is None else noise
    check_alike(labels=p, noise=noise)
    N = (positive | negative).sum(0)
    w = torch.tensor(ratios, dtype=torch.float64).to(p.device, non_blocking=True)
    wanted = (N * w).round(decimals=6)  # 10 × 0.3 is 3, not a little more
    if selective == "release":
        kept = torch.where(positive.sum(0) < wanted, wanted.ceil(), N)
        return (positive | _draw(negative, kept, noise)).float()
    if selective == "original":
        a = torch.zeros_like(p, dtype=torch.float32)
        for members, want in ((positive, wanted), (negative, N - wanted)):
            have = members.sum(0)
            rare = members * (want / have.clamp(min=1))
            a += torch.where(have < want, rare, _draw(members, want.round(), noise)).float()
        return a
    raise ValueError(f'selective={selective!r}: expected "release" or "original"')


def _draw(members: Tensor, n: Tensor, noise: Tensor) -> Tensor:
    """At most n (C) of the members (B, C) of each column: those with the lowest noise."""
    return members & (noise.masked_fill(~members, torch.inf).argsort(0).argsort(0) < n)


def teacher_view_loss(z: Tensor, p: Tensor, a: Tensor, *, follow: Follow = "paper") -> Tensor:
    """L'_vi, Eq. (1): mean over the images that carry a label; logits z, labels p (NaN missing), weights a: (B, C).

    The released code has no 1/C: it takes the sum over AUs.
    """
    check_alike(logits=z, labels=p, weights=a)
    _check_labels(p, missing=True)
    known, z = ~p.isnan(), at_least_single(z)
    total = F.binary_cross_entropy_with_logits(z, p.nan_to_num().to(z.dtype), weight=a * known, reduction="sum")
    return total / ((1 if is_release(follow) else p.shape[1]) * known.any(1).sum().clamp(min=1))


def co_regularization_loss(z_1: Tensor, z_2: Tensor, *, follow: Follow = "paper") -> Tensor:
    """L'_cr, Eq. (2): Jensen-Shannon divergence of the two views' predictions, logits (B, C), mean over AUs and images.

    The released code takes the absolute difference of mean entropies instead: each of the three means leaves out the
    probabilities below .001 and above .999, and .001 is added to 1 - p and to the mean probability.
    """
    check_alike(logits=z_1, others=z_2)
    z_1, z_2 = at_least_single(z_1), at_least_single(z_2)
    if is_release(follow):
        p_1, p_2 = z_1.sigmoid(), z_2.sigmoid()
        H = _mean_entropy((p_1 + p_2) / 2, 1e-3) - (_mean_entropy(p_1, 0) + _mean_entropy(p_2, 0)) / 2
        return H.abs()
    return _divergence(z_1, z_2).mean()


def _divergence(z_1: Tensor, z_2: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the predictions of logits (B, C), each: (B, C)."""
    log_p, log_q = (torch.logaddexp(F.logsigmoid(s * z_1), F.logsigmoid(s * z_2)) - math.log(2) for s in (1, -1))
    H_mean = -(log_p.exp() * log_p + log_q.exp() * log_q)
    H_1, H_2 = (F.softplus(z) - z * z.sigmoid() for z in (z_1, z_2))
    return H_mean - (H_1 + H_2) / 2


def _mean_entropy(p: Tensor, more: float) -> Tensor:
    """Mean entropy of the probabilities p in [.001, .999], `more` added to p (released code); 0 where there is none."""
    kept = (p >= 1e-3) & (p <= 1 - 1e-3)
    p = torch.where(kept, p, 0.5)  # not p[kept], of which a GPU would have to tell the length
    p, q = p + more, 1 - p + 1e-3
    return -((p * p.log() + q * q.log()) * kept).sum() / kept.sum().clamp(min=1)


def multi_view_loss(W_1: Tensor, W_2: Tensor) -> Tensor:
    """L_mv, Eq. (3) and (7): mean |cos| of the two views' classifiers (C, D), one row per AU.

    Printed without the absolute value, Eq. (3) is least where the classifiers are opposite, not where they are
    orthogonal as the text says; the released code takes the absolute value.
    """
    check_alike(classifiers=W_1, others=W_2)
    return F.cosine_similarity(at_least_single(W_1), at_least_single(W_2), dim=1).abs().mean()


def teacher_loss(
    output: Output,
    p: Tensor,
    a: Tensor,
    *,
    lambda_mv: float = 400.0,
    lambda_cr: float = 100.0,
    cr_on: Literal["unlabelled", "all"] = "unlabelled",
    follow: Follow = "paper",
) -> dict[str, Tensor]:
    """Eq. (4) as weighted terms to be summed, of a Teacher's output and labels p (B, C); with one view L_v alone.

    Weights a are (B, C), or (2, B, C) of each view. An image without any known label is unlabelled; L'_cr is computed
    on those or, with cr_on="all" and in the released code, on all.
    """
    if cr_on not in ("unlabelled", "all"):
        raise ValueError(f'cr_on={cr_on!r}: expected "unlabelled" or "all"')
    if a.shape not in (p.shape, output.views.shape):
        raise ValueError(f"weights {tuple(a.shape)}: expected {tuple(p.shape)} or {tuple(output.views.shape)}")
    pairs = zip(output.views, a.expand_as(output.views), strict=True)
    terms = {"L_v": torch.stack([teacher_view_loss(z, p, a_v, follow=follow) for z, a_v in pairs]).mean()}
    if len(output.views) == 2:
        terms["L_mv"] = lambda_mv * multi_view_loss(*output.W)
        if cr_on == "all" or is_release(follow):
            L_cr = co_regularization_loss(*output.views, follow=follow)
        else:
            among = p.isnan().all(1, keepdim=True)
            each = _divergence(*map(at_least_single, output.views)) * among
            L_cr = each.sum() / (among.sum() * each.shape[1]).clamp(min=1)  # without images: 0
        terms["L_cr"] = lambda_cr * L_cr
    return terms


# Sec. III-C-1: micro-expression AU detection


def student_view_loss(z: Tensor, p: Tensor) -> Tensor:
    """L_vi and L_vs, Eq. (5) and (6): cross-entropy of N two-way softmaxes, z (B, N, 2), p (B, N), mean over images.

    Printed, the second term has the wrong sign: it would reward a wrong "absent".
    """
    if z.shape != (*p.shape, 2) or p.ndim != 2 or not p.numel():
        raise ValueError(f"logits {tuple(z.shape)} and labels {tuple(p.shape)}: expected (B, N, 2) and (B, N)")
    _check_labels(p, missing=False)
    return F.cross_entropy(at_least_single(z).flatten(0, 1), p.flatten().long())


# Sec. III-C-2: knowledge distillation


def attention(A: Tensor) -> Tensor:
    """At, Eq. (9) and (10): A (B, C, H, W) -> (B, 1, H, W)."""
    return at_least_single(A).square().sum(1, keepdim=True)


def similarity(Q: Tensor) -> Tensor:
    """G, Eq. (13) and (14): Q (B, ...) -> (B, B), rows of length 1."""
    Q = _scaled(Q)[0].flatten(1)
    with torch.autocast(Q.device.type, enabled=False):
        return F.normalize(Q @ Q.T, dim=1)


def _scaled(A: Tensor) -> tuple[Tensor, Tensor]:
    """A / max |A|, and max |A|: G and normalised At ignore scale, and |A|^12 overflows float32."""
    A = at_least_single(A)
    most = A.detach().abs().amax().clamp(min=torch.finfo(A.dtype).tiny)
    return A / most, most


def asp_loss(A_T: Features, A_S: Features, *, follow: Follow = "paper") -> Tensor:
    """L_asp_i, Eq. (9)-(15), of one view's teacher and student features, which have to agree in B alone.

    The released code divides At by its spatial L2 norm and takes the mean over layers instead of the sum.
    """

    def G(A: Tensor) -> Tensor:
        A, most = _scaled(A)
        At = _unit(attention(A), 1e-6 / most**2) if is_release(follow) else attention(A)
        return similarity(At * A)  # Eq. (11), (12)

    return _distance(G, A_T, A_S, follow)


def sp_loss(A_T: Features, A_S: Features, *, follow: Follow = "paper") -> Tensor:
    """Similarity-preserving distillation [28]: Eq. (13)-(15) without attention; released code: the mean over layers."""
    return _distance(similarity, A_T, A_S, follow)


def _distance(G: Callable[[Tensor], Tensor], A_T: Features, A_S: Features, follow: Follow) -> Tensor:
    """Eq. (15), left: |G(A_T) - G(A_S)|^2_F / b^2, summed over layers, or their mean (released code)."""
    each = torch.stack([(G(T) - G(S)).square().mean() for T, S in _layers(A_T, A_S)])
    return each.mean() if is_release(follow) else each.sum()


def _unit(At: Tensor, eps: Tensor | float) -> Tensor:
    """Maps (B, 1, H, W) divided by their L2 norm plus eps."""
    return At / (At.flatten(1).norm(dim=1)[:, None, None, None] + eps)


def at_loss(A_T: Features, A_S: Features, *, follow: Follow = "paper") -> Tensor:
    """Attention transfer [15], p = 2: squared distance of normalised maps of one H and W, summed over layers.

    Divided by the number of elements, as its weight of 1000 assumes. Released code: the mean over layers, and 1e-6 is
    added to the norms.
    """

    def maps(A: Tensor) -> Tensor:
        A, most = _scaled(A)
        return _unit(attention(A), 1e-6 / most**2 if is_release(follow) else 1e-12)

    pairs = _layers(A_T, A_S)
    if any(T.shape[2:] != S.shape[2:] for T, S in pairs):
        raise ValueError("AT compares maps: height and width of teacher and student have to agree in every layer")
    each = torch.stack([F.mse_loss(maps(S), maps(T)) for T, S in pairs])
    return each.mean() if is_release(follow) else each.sum()


def fit_loss(A_T: Features, A_S: Features) -> Tensor:
    """FitNets [25]: mean squared error of the last layer; shapes agree here, so it needs no regressor."""
    T, S = _layers(A_T, A_S)[-1]
    if T.shape != S.shape:
        raise ValueError(f"Fit compares activations: {tuple(T.shape)} of the teacher, {tuple(S.shape)} of the student")
    return F.mse_loss(at_least_single(S), at_least_single(T))


def _layers(A_T: Features, A_S: Features) -> list[tuple[Tensor, Tensor]]:
    """The teacher's and the student's activations, layer by layer."""
    T, S = ([A] if isinstance(A, Tensor) else list(A) for A in (A_T, A_S))
    if len(T) != len(S) or not T:
        raise ValueError(f"{len(T)} layers of the teacher, {len(S)} of the student: expected as many, and at least one")
    for t, s in zip(T, S, strict=True):
        if t.ndim != 4 or s.ndim != 4 or len(t) != len(s) or not (t.numel() and s.numel()):
            raise ValueError(
                f"activations {tuple(t.shape)} of the teacher, {tuple(s.shape)} of the student: expected (B, C, H, W), "
                "of the same images"
            )
    return list(zip(T, S, strict=True))


DISTILLATION: dict[str, Callable[..., Tensor]] = {"Fit": fit_loss, "AT": at_loss, "SP": sp_loss, "ASP": asp_loss}
# ASP: Sec. IV-C; the others are not in the paper: usual values of FitNets, AT and SP, and those of the released code
ALPHA = {
    "paper": {"Fit": 100.0, "AT": 1000.0, "SP": 3000.0, "ASP": 100.0},
    "release": {"Fit": 100.0, "AT": 100.0, "SP": 100.0, "ASP": 100.0},
}


def student_loss(
    output: Output,
    p: Tensor,
    teacher: Output | None = None,
    *,
    lambda_mv: float = 100.0,
    method: str = "ASP",
    alpha: float | None = None,
    follow: Follow = "paper",
) -> dict[str, Tensor]:
    """Eq. (8) and (16) as weighted terms to be summed, of a student's output, labels p (B, N) and the teacher's output.

    With one view there are L_v and the distillation alone; without a teacher there is no distillation. alpha=None is
    the method's own of ALPHA. The released code weights each view's loss by 1 instead of 1/2, distils conv1 (before
    batch norm), too, and sums over views where Eq. (15) takes the mean.
    """
    release = is_release(follow)
    views = torch.stack([student_view_loss(z, p) for z in output.views])
    terms = {"L_v": views.sum() if release else views.mean()}
    if len(output.views) == 2:
        terms["L_vs"] = student_view_loss(output.fused, p)
        terms["L_mv"] = lambda_mv * multi_view_loss(*output.W)
    if teacher is not None:
        if method not in DISTILLATION:
            raise ValueError(f"method={method!r}: expected one of {', '.join(DISTILLATION)}")
        if len(teacher.features) != len(output.features):
            raise ValueError(f"{len(teacher.features)} views of the teacher, {len(output.features)} of the student")
        alpha = ALPHA[follow][method] if alpha is None else alpha
        options: dict[str, Any] = {} if method == "Fit" else {"follow": follow}
        layers = slice(0 if release else 1, None)
        pairs = zip(teacher.features, output.features, strict=True)
        losses = torch.stack([DISTILLATION[method](A_T[layers], A_S[layers], **options) for A_T, A_S in pairs])
        terms[f"L_{method.lower()}"] = alpha * (losses.sum() if release else losses.mean())
    return terms
