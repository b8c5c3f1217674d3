"""Eulerian video magnification [31] of the motion from onset to apex (Sec. IV-C): linear, on a Laplacian pyramid."""

import torch
import torch.nn.functional as F
from torch import Tensor

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def magnify(onset: Tensor, apex: Tensor, *, ratio: float = 30.0, lambda_c: float = 8.0) -> Tensor:
    """The apex as if it had moved `ratio` times as far from the onset: images (B, C, H, W) in 0..1 -> the same.

    ratio 1 gives the apex. Each band of apex - onset is multiplied; bands of wavelengths under lambda_c (pixels) in
    proportion less, since so large a motion of so fine a structure is out of a linear method's reach. The finest band,
    mostly noise, and the mean brightness stay as they are, as in the code of [31]. lambda_c is not in the paper: with 8
    brows and lids are still magnified wholly in images of 240 x 240.
    """
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
    x = sum(tap * x[..., i : i + H, :] for i, tap in enumerate(BINOMIAL))
    return sum(tap * x[..., i : i + W] for i, tap in enumerate(BINOMIAL))
