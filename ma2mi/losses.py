"""The losses of pre-training: L_pre = L_rec + L_pos, Eq. (10).

Facial position features F_p are (B, C, H, W); every loss is a scalar, the mean over the batch.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def L_1(F_p: Tensor) -> Tensor:
    """Mean cosine similarity of two different positions of a face, Eq. (2).

    Summed over all pairs it is the squared length of the sum of unit vectors: no HW×HW matrix is needed.
    """
    U = unit(F_p)
    HW = U.shape[2]
    pairs = U.sum(2).square().sum(1) - U.square().sum((1, 2))
    return pairs.mean() / (HW * (HW - 1))


def L_2(F_1: Tensor, F_2: Tensor) -> Tensor:
    """Mean similarity of positions that do not match over two faces, less that of those that do, Eq. (3)."""
    S = unit(F_1).mT @ unit(F_2)  # (B, HW, HW)
    HW = S.shape[2]
    best = S.max(dim=2).values.sum(1)  # at j*, Eq. (4): no gradient through the choice
    others = S.sum((1, 2)) - best
    return (others / (HW * (HW - 1)) - best / HW).mean()


def L_3(F_of_tau: Tensor, tau_of_F: Tensor, inside: Tensor, *, norm: str = "position") -> Tensor:
    """‖E_p(τ(I)) − τ(E_p(I))‖₂, Eq. (5), over the positions that `inside` (B, H, W) leaves.

    norm="position" is the mean over positions of the channel vectors' length; "map" the 2-norm of the whole map.
    """
    difference = (F_of_tau - tau_of_F) * inside[:, None]
    if norm == "position":
        return difference.norm(dim=1).sum() / inside.sum()
    if norm == "map":
        return difference.flatten(1).norm(dim=1).mean()
    raise ValueError(f"norm must be 'position' or 'map', not {norm!r}")


def position_loss(
    E_p: Callable[[Tensor], Tensor], I: Tensor, tau: Tensor, *, F_p: Tensor | None = None, norm: str = "position"
) -> dict[str, Tensor]:
    """The three terms whose sum is L_pos, Eq. (6), of images I (B, 3, H, W) under transforms `tau` (B, 2, 3).

    `F_p` is E_p(I) where it is at hand already. The second face of L_2 is the next one of the batch; raises ValueError
    where there is none.
    """
    if len(I) < 2:
        raise ValueError("L_2, Eq. (3), compares two different faces: the batch holds one")
    F_p = E_p(I) if F_p is None else F_p
    F_of_tau = E_p(spatial_transform(I, tau)[0])
    return {
        "L_1": L_1(F_p),
        "L_2": L_2(F_p, F_p.roll(1, dims=0)),
        "L_3": L_3(F_of_tau, *spatial_transform(F_p, tau), norm=norm),
    }


def reconstruction_loss(Z_hat: Tensor, Z: Tensor) -> Tensor:
    """L_rec, Eq. (9): the 1-norm, as a mean over elements so that its weight does not hang on the size of Z."""
    return F.l1_loss(Z_hat, Z)


def draw_tau(batch: int, generator: torch.Generator, *, degrees: float = 15.0, shift: float = 0.1) -> Tensor:
    """Random τ of Eq. (5): a rotation within ±degrees and a translation within ±shift of the side, each (2, 3).

    The ranges are not in the paper.
    """
    angle, right, down = torch.rand(3, batch, generator=generator, device=generator.device) * 2 - 1
    angle = angle * math.radians(degrees)
    shift = 2 * shift  # the side is 2 long
    rows = torch.stack([angle.cos(), -angle.sin(), shift * right, angle.sin(), angle.cos(), shift * down], dim=1)
    return rows.view(batch, 2, 3)


def spatial_transform(x: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """τ(x) of square maps (B, C, S, S), and (B, S, S): 1 where the position came from inside the map, else 0.

    Coordinates run from -1 to 1 over the side, so one τ moves an image and, scaled, its feature map.
    """
    S = x.shape[3]
    x = x.to(torch.promote_types(x.dtype, tau.dtype))
    side = (torch.arange(S, device=x.device, dtype=x.dtype) + 0.5) * (2 / S) - 1
    down, right = torch.meshgrid(side, side, indexing="ij")
    a, b, c = tau[:, None, None].to(x.dtype).unbind(4)  # not affine_grid: its product loses digits under autocast
    grid = a * right[:, :, None] + b * down[:, :, None] + c  # (B, S, S, 2)
    inside = (grid.abs() <= 1).all(dim=3).to(x.dtype)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False), inside


def unit(F_p: Tensor) -> Tensor:
    """Feature vectors of length 1: (B, C, H, W) -> (B, C, HW). A zero vector (after ReLU) stays zero."""
    return F.normalize(F_p.flatten(2), dim=1, eps=1e-8)
