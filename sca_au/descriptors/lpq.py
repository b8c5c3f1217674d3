"""Local phase quantisation on three orthogonal planes (LPQ-TOP)."""

import numpy as np

from .blocks import checked, histograms, interior

FLAT = 1e-6  # a response this near to zero is one: without it rounding alone would set the bits of flat windows


def correlate(volume: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    """Correlation along one axis, where the kernel fits; ValueError when it fits nowhere."""
    n = volume.shape[axis] - len(kernel) + 1
    if n < 1:
        raise ValueError(f"{volume.shape[axis]} pixels or frames are fewer than the window's {len(kernel)}")
    volume = volume.swapaxes(0, axis)
    return sum(w * volume[i : i + n] for i, w in enumerate(kernel)).swapaxes(0, axis)


def phase_codes(volume: np.ndarray, axes: tuple[int, int], window: int) -> np.ndarray:
    """Signs of the real (bits 0-3) and imaginary (4-7) parts of four local Fourier coefficients in the plane of `axes`.

    The frequencies are (a, 0), (0, a), (a, a) and (a, -a), a = 1/window, over an evenly weighted window.
    """
    a, b = axes
    angles = 2 * np.pi * (np.arange(window) - window // 2) / window
    flat, c, s = np.ones(window), np.cos(angles), np.sin(angles)
    F, C, S = (correlate(volume, kernel, a) for kernel in (flat, c, s))
    CC, SS, SC, CS = correlate(C, c, b), correlate(S, s, b), correlate(S, c, b), correlate(C, s, b)
    real = correlate(C, flat, b), correlate(F, c, b), CC - SS, CC + SS
    imaginary = correlate(S, flat, b), correlate(F, s, b), SC + CS, SC - CS
    codes = np.zeros(CC.shape, np.uint8)
    for p, g in enumerate(real + imaginary):
        codes |= (g >= -FLAT).view(np.uint8) << p
    return codes


def lpq_top(volume: np.ndarray, *, window: int = 5, blocks: int = 5) -> np.ndarray:
    """LPQ-TOP: volume (T, H, W) of any real type -> (blocks² · 3 · 256,).

    window: odd, in pixels and frames (not in the paper). The coefficients are not decorrelated: that mixes the
    frequencies, which costs the invariance to blur. Codes are those of the voxels with a window in all three planes.
    ValueError for an even window, and for a volume that is too small or another. Päivärinta et al., SCIA 2011.
    """
    T, Y, X = range(3)
    volume = checked(volume, window=window, blocks=blocks).astype(np.float64)
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window must be odd, 3 or more, got {window}")
    m = window // 2
    planes = []
    for axes, margins in (((X, Y), (m, 0, 0)), ((X, T), (0, m, 0)), ((Y, T), (0, 0, m))):
        codes = phase_codes(interior(volume, margins), axes, window)
        planes.append(histograms(codes, 256, blocks))
    return np.concatenate(planes, 1).ravel()
