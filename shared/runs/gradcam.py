"""Class activation maps."""

import torch
import torch.nn.functional as F
from torch import Tensor


def gradcam(activation: Tensor, score: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, Eqs. 1 and 2) of maps (B, C, H, W) and a class's scores (B,): (B, H, W), >= 0.

    The scores must come from the activation by autograd, each from its own sample's alone (batch norm in eval mode).
    The graph stays, so that other classes can be asked for.
    """
    (gradient,) = torch.autograd.grad(score.sum(), activation, retain_graph=True)
    alpha = gradient.mean(dim=(2, 3), keepdim=True)
    return (alpha * activation.detach()).sum(dim=1).relu()


def scaled(maps: Tensor) -> Tensor:
    """Maps (..., H, W) >= 0, each to a maximum of 1 (one of zeros stays), in three decimals."""
    return (maps / maps.amax(dim=(-2, -1), keepdim=True).clamp_min(1e-12)).double().round(decimals=3)


def on_face(maps: Tensor, *, size: int, resize: int) -> Tensor:
    """Maps (B, C, h, w) of a face's central crop of side `size`, on the whole face: (B, C, resize, resize)."""
    before = (resize - size) // 2
    after = resize - size - before
    return F.pad(F.interpolate(maps, (size, size), mode="bilinear"), [before, after, before, after])
