"""Eulerian video magnification [31] of the motion from onset to apex (Sec. IV-C): linear, on a Laplacian pyramid."""

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def prepare(
    onset: Tensor, apex: Tensor, *, resize: int = 240, size: int = 224, ratio: float = 30.0, lambda_c: float = 8.0
) -> Tensor:
    """Onset and apex (B, 3, resize, resize) in [0, 1] -> a student's input at test, the magnified middle of `size`.

    Values are rounded to 8 bits, as in training. A student's own settings: `net.input`.
    """
    if onset.shape[-2:] != (resize, resize):
        raise ValueError(f"images of {tuple(onset.shape[-2:])}: expected {resize} x {resize}; resize the faces first")
    if not 0 < size <= resize:
        raise ValueError(f"size={size}: expected 1 to resize={resize}, whose middle it is")
    start = (resize - size) // 2
    magnified = magnify(onset, apex, ratio=ratio, lambda_c=lambda_c)
    return magnified[..., start : start + size, start : start + size].mul(255).round() / 255


def check_images(x: Tensor) -> None:
    """Raises ValueError where images are not (B, C, H, W) or not in [0, 1].

    Values are checked on the CPU alone, since a check would wait for a GPU, and not in a compiled graph."""
    if x.ndim != 4 or not x.is_floating_point() or not x.numel():
        raise ValueError(f"images {tuple(x.shape)} of {x.dtype}: expected (B, C, H, W), floats in [0, 1]")
    if torch.compiler.is_compiling() or not x.is_cpu:
        return
    if x.min() < -1e-3 or x.max() > 1 + 1e-3 or x.isnan().any():
        raise ValueError(f"images from {x.min():g} to {x.max():g}: expected values in [0, 1] (divide bytes by 255)")


def magnify(onset: Tensor, apex: Tensor, *, ratio: float = 30.0, lambda_c: float = 8.0) -> Tensor:
    """The apex as if it had moved `ratio` times as far from the onset: images (B, C, H, W) in [0, 1] -> the same.

    ratio 1 gives the apex. Each band of apex - onset is multiplied; bands of wavelengths under lambda_c (pixels) in
    proportion less, since a linear method cannot move so fine a structure so far. The finest band, mostly noise, and
    the mean brightness stay as they are, as in the code of [31]. lambda_c is not in the paper: with 8, brows and lids
    are still magnified fully in images of 240 x 240.
    """
    for images in onset, apex:
        check_images(images)
    if onset.shape != apex.shape or min(onset.shape[-2:]) < 2 * len(BINOMIAL):
        raise ValueError(
            f"onset {tuple(onset.shape)} and apex {tuple(apex.shape)}: expected the same shape, {2 * len(BINOMIAL)} "
            "pixels or more along each side"
        )
    if not (ratio >= 0 and lambda_c > 0):
        raise ValueError(f"ratio={ratio:g}, lambda_c={lambda_c:g}: expected a ratio of 0 or more and a positive length")
    *bands, residual = laplacian_pyramid(apex - onset)
    change = residual
    for level, band in reversed(list(enumerate(bands))):
        wavelength = 4 * 2**level  # about the middle of the band
        gain = 1 + (ratio - 1) * min(1.0, wavelength / lambda_c) if level else 1.0
        change = gain * band + expand(change, band.shape)
    return (onset + change).clamp(0, 1)


def laplacian_pyramid(x: Tensor) -> list[Tensor]:
    """(B, C, H, W) -> bands, finest first, each half as large as the last, then a residual under 5 pixels."""
    bands = []
    while min(x.shape[-2:]) >= len(BINOMIAL):
        small = blur(x)[..., ::2, ::2]
        bands.append(x - expand(small, x.shape))
        x = small
    return [*bands, x]


def expand(small: Tensor, shape: torch.Size) -> Tensor:
    """Upsamples (B, C, ceil(H/2), ceil(W/2)) to `shape` (B, C, H, W)."""
    x = small.new_zeros(shape)
    x[..., ::2, ::2] = small
    return 4 * blur(x)


def blur(x: Tensor) -> Tensor:
    """Binomial filter of five taps along both axes, images mirrored at the border."""
    B, C, H, W = x.shape
    x = F.pad(x, (2, 2, 2, 2), mode="reflect")
    x = reduce(add, (tap * x[..., i : i + H, :] for i, tap in enumerate(BINOMIAL)))
    return reduce(add, (tap * x[..., i : i + W] for i, tap in enumerate(BINOMIAL)))
