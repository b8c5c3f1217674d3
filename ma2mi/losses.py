"""The losses of pre-training: L_pre = L_rec + L_pos, Eq. (10).

Facial position features F_p are (B, C, H, W); every loss is a scalar, the mean over the batch, in float32 at least.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Norm = Literal["position", "map"]


def L_1(F_p: Tensor) -> Tensor:
    """Mean cosine similarity of two different positions of a face, Eq. (2).

    Summed over all pairs it is the squared length of the sum of unit vectors: no HW×HW matrix is needed. Raises
    ValueError for an empty batch, and for maps of one position.
    """
    U = unit(F_p)
    HW = U.shape[2]
    pairs = U.sum(2).square().sum(1) - U.square().sum((1, 2))
    return pairs.mean() / (HW * (HW - 1))


def L_2(F_1: Tensor, F_2: Tensor) -> Tensor:
    """Mean similarity of positions that do not match over two faces, less that of those that do, Eq. (3).

    Raises ValueError for maps of different sizes, and as L_1."""
    check_alike(F_1=F_1, F_2=F_2)
    kind = F_1.device.type
    rounds = torch.amp.is_autocast_available(kind)  # and would take the products in half precision; not on "meta"
    with torch.autocast(kind, enabled=False) if rounds else nullcontext():
        S = unit(F_1).mT @ unit(F_2)  # (B, HW, HW)
    HW = S.shape[2]
    best = S.max(dim=2).values.sum(1)  # at j*, Eq. (4): no gradient through the choice
    others = S.sum((1, 2)) - best
    return (others / (HW * (HW - 1)) - best / HW).mean()


def L_3(F_of_tau: Tensor, tau_of_F: Tensor, inside: Tensor, *, norm: Norm = "position") -> Tensor:
    """‖E_p(τ(I)) − τ(E_p(I))‖₂, Eq. (5), over the positions that `inside` (B, H, W) leaves.

    norm="position" is the mean over positions of the channel vectors' length; "map" the 2-norm of the whole map.
    Where no position is left L_3 is 0. Raises ValueError for an empty batch, or maps of different sizes.
    """
    check_alike(F_of_tau=F_of_tau, tau_of_F=tau_of_F)
    if inside.shape != F_of_tau[:, 0].shape:
        raise ValueError(f"inside must be {tuple(F_of_tau[:, 0].shape)}, not {tuple(inside.shape)}")
    difference = (at_least_single(F_of_tau) - at_least_single(tau_of_F)) * inside[:, None]
    if norm == "position":
        return difference.norm(dim=1).sum() / inside.sum().clamp(min=1)
    if norm == "map":
        return difference.flatten(1).norm(dim=1).mean()
    raise ValueError(f"norm must be 'position' or 'map', not {norm!r}")


def position_loss(
    E_p: Callable[[Tensor], Tensor], I: Tensor, tau: Tensor, *, F_p: Tensor | None = None, norm: Norm = "position"
) -> dict[str, Tensor]:
    """The three terms whose sum is L_pos, Eq. (6), of images I (B, 3, H, W) under transforms `tau` (B, 2, 3).

    `F_p`: E_p(I), if it has been computed already. The second face of L_2 is the one before in the batch. Raises
    ValueError where there is none, for maps of one position, and for maps in other proportions than the images.
    """
    if len(I) < 2:
        raise ValueError(f"L_2, Eq. (3), compares two different faces: the batch holds {len(I)}")
    F_p = E_p(I) if F_p is None else F_p
    (h, w), (H, W) = F_p.shape[2:], I.shape[2:]
    if h * W != w * H:
        raise ValueError(f"maps of {h}×{w} are not in the proportions of the images, {H}×{W}: one τ would not fit both")
    F_of_tau = E_p(spatial_transform(I, tau)[0])
    return {
        "L_1": L_1(F_p),
        "L_2": L_2(F_p, F_p.roll(1, dims=0)),
        "L_3": L_3(F_of_tau, *spatial_transform(F_p, tau), norm=norm),
    }


def reconstruction_loss(Z_hat: Tensor, Z: Tensor) -> Tensor:
    """L_rec, Eq. (9): the 1-norm, as a mean over elements so that its weight does not depend on the size of Z.

    Raises ValueError for an empty batch, and for different sizes."""
    check_alike(Z_hat=Z_hat, Z=Z)
    return F.l1_loss(Z_hat, Z)


def draw_tau(
    batch: int, generator: torch.Generator | None = None, *, degrees: float = 15.0, shift: float = 0.1
) -> Tensor:
    """Random τ (batch, 2, 3) of Eq. (5): rotations within ±degrees, translations within ±shift of the longer side.

    The ranges are not in the paper. Drawn on the generator's device, by default on the CPU; `spatial_transform` moves τ
    to the device of its maps.
    """
    device = generator.device if generator else "cpu"
    angle, right, down = torch.rand(3, batch, generator=generator, device=device) * 2 - 1
    angle = angle * math.radians(degrees)
    shift = 2 * shift  # the side is 2 long
    rows = torch.stack([angle.cos(), -angle.sin(), shift * right, angle.sin(), angle.cos(), shift * down], dim=1)
    return rows.view(batch, 2, 3)


def spatial_transform(x: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """τ(x) of maps (B, C, H, W), and (B, H, W): 1 where the position came from inside the map, else 0.

    Coordinates run from -1 to 1 over the longer side, so one τ moves an image and, scaled, its feature map, and a
    rotation stays one where H ≠ W. Raises ValueError unless there is one τ (2, 3) for each map.
    """
    if x.ndim != 4 or tau.shape != (len(x), 2, 3):
        raise ValueError(f"expected maps (B, C, H, W) and tau (B, 2, 3), not {tuple(x.shape)} and {tuple(tau.shape)}")
    x = at_least_single(x.to(torch.promote_types(x.dtype, tau.dtype)))
    H, W = x.shape[2:]
    half = max(H, W) / 2
    rows, columns = ((torch.arange(n, device=x.device, dtype=x.dtype) + (1 - n) / 2) / half for n in (H, W))
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    a, b, c = tau[:, None, None].to(x, non_blocking=True).unbind(4)  # affine_grid loses digits under autocast
    grid = a * right[:, :, None] + b * down[:, :, None] + c  # (B, H, W, 2)
    grid = torch.stack([grid[..., 0] * (2 * half / W), grid[..., 1] * (2 * half / H)], dim=3)  # -1 to 1 over each side
    inside = (grid.abs() <= 1).all(dim=3).to(x.dtype)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False), inside


def unit(F_p: Tensor) -> Tensor:
    """Feature vectors of length 1: (B, C, H, W) -> (B, C, HW). A zero vector (after ReLU) stays zero.

    Raises ValueError for an empty batch, and for maps of one position: Eq. (2) and (3) divide by HW - 1."""
    if F_p.ndim != 4 or not len(F_p) or F_p.shape[2:].numel() < 2:
        raise ValueError(
            f"expected position features (B, C, H, W) of at least two positions, not {tuple(F_p.shape)}; larger images "
            "give larger maps"
        )
    vectors = at_least_single(F_p).flatten(2)
    length = vectors.norm(dim=1, keepdim=True)
    return vectors / length.where(length > 0, 1.0)


def at_least_single(x: Tensor) -> Tensor:
    """Half precision as float32: its squares and sums leave its range."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def check_alike(**tensors: Tensor) -> None:
    """Raises ValueError unless two tensors have one shape and are not empty: they would be broadcast, or give NaN."""
    (a, one), (b, other) = tensors.items()
    if one.shape != other.shape or not one.numel():
        shapes = f"{tuple(one.shape)} and {tuple(other.shape)}"
        raise ValueError(f"{a} and {b} must have the same shape and hold something, not {shapes}")
