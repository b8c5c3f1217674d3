"""Local phase quantisation on three orthogonal planes (LPQ-TOP)."""

import numpy as np

from .blocks import checked, histograms, interior

FLAT = 1e-6  # a response this near to zero is one: without it rounding alone would set the bits of flat windows
CACHED = 64_000  # voxels whose phases are computed at once: arrays of them stay in a cache


def transformed(x: np.ndarray, axis: int, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums along one axis over the windows that fit, weighted evenly, by cosine, by sine: real and imaginary parts of
    the frequencies 0 and 1/window. ValueError when no window fits.

    The cosine is even and the sine odd: the halves of a window are added, or subtracted, before they are weighted.
    """
    m, n = window // 2, x.shape[axis] - window + 1
    if n < 1:
        raise ValueError(f"{x.shape[axis]} pixels or frames are fewer than the window's {window}")
    part = [x[(slice(None),) * axis + (slice(i, i + n),)] for i in range(window)]
    even = [part[m + i] + part[m - i] for i in range(1, m + 1)]
    odd = [part[m + i] - part[m - i] for i in range(1, m + 1)]
    angles = 2 * np.pi * np.arange(1, m + 1) / window
    flat, cosine, sine = part[m] + even[0], part[m] + np.cos(angles[0]) * even[0], np.sin(angles[0]) * odd[0]
    for e, o, angle in zip(even[1:], odd[1:], angles[1:], strict=True):
        flat += e
        cosine += np.multiply(e, np.cos(angle), out=e)
        sine += np.multiply(o, np.sin(angle), out=o)
    return flat, cosine, sine


def phase_codes(volume: np.ndarray, axes: tuple[int, int], window: int) -> np.ndarray:
    """Signs of the real (bits 0-3) and imaginary (4-7) parts of four local Fourier coefficients in the plane of `axes`.

    The frequencies are (a, 0), (0, a), (a, a) and (a, -a), a = 1/window, over an evenly weighted window. Slices of the
    volume are taken a few at a time, so that they stay in the processor's cache.
    """
    slices = np.moveaxis(volume, axes, (2, 1))
    step = max(CACHED // slices[0].size, 1)
    codes = [_codes(slices[i : i + step].astype(np.float64, "C"), window) for i in range(0, len(slices), step)]
    return np.moveaxis(np.concatenate(codes), (2, 1), axes)


def _codes(x: np.ndarray, window: int) -> np.ndarray:
    F, C, S = transformed(x, 2, window)
    _, FC, FS = transformed(F, 1, window)
    CF, CC, CS = transformed(C, 1, window)
    SF, SC, SS = transformed(S, 1, window)
    codes = np.zeros(CC.shape, np.uint8)
    for p, g in enumerate((CF, FC, CC - SS, CC + SS, SF, FS, SC + CS, SC - CS)):
        codes |= (g >= -FLAT).view(np.uint8) << p
    return codes


def lpq_top(volume: np.ndarray, *, window: int = 5, blocks: int = 5) -> np.ndarray:
    """LPQ-TOP: volume (T, H, W) of grey values in [0, 1] or [0, 255] -> (blocks² · 3 · 256,).

    window: odd, in pixels and frames (not in the paper). The coefficients are not decorrelated: that mixes the
    frequencies, which costs the invariance to blur. Codes are those of the voxels with a window in all three planes.
    ValueError for an even window, and for a volume that is too small or another. Päivärinta et al., SCIA 2011.
    """
    T, Y, X = range(3)
    volume = checked(volume, window=window, blocks=blocks)
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window must be odd, 3 or more, got {window}")
    m = window // 2
    planes = []
    for axes, margins in (((X, Y), (m, 0, 0)), ((X, T), (0, m, 0)), ((Y, T), (0, 0, m))):
        codes = phase_codes(interior(volume, margins), axes, window)
        planes.append(histograms(codes, 256, blocks))
    return np.concatenate(planes, 1).ravel()
