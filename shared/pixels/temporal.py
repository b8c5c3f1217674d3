"""Time: clips brought to one length (TIM); the apex frame, spotted in the frequency domain or most different."""

import numpy as np
from scipy.fft import fft2

BLOCKS = 6  # Li, Huang, Zhao 2018: 6×6 blocks of the face,
WINDOW, WINDOW_FPS = 61, 200  # a window of 61 frames at 200 fps


def tim_weights(N: int, n: int) -> np.ndarray:
    """The weight of each of N frames in each of n interpolated ones: float64 (n, N), rows sum to 1.

    The path-graph embedding of Zhou et al. 2011 and Pfister et al. 2011 solved by hand. The centred frames span all
    that the Laplacian's eigenvectors V₀ span, so Wᵀ Q = V₀ᵀ, and the synthesised frame is X (V₀ (v·m) + 1/N), whatever
    X holds. V₀ and v are cosines, cos(πk(j − ½)/N), which leaves the interpolation of a cosine transform. (The papers'
    own steps have no answer where frames repeat; this is their limit.) Raises ValueError for counts below 1.
    """
    if N < 1 or n < 1:
        raise ValueError(f"at least one frame in and out, not {N} and {n}")
    k = np.arange(1, N)
    given = np.arange(1, N + 1)
    wanted = 1 + np.linspace(0, 1, n) * (N - 1)  # N t'
    cosines = [np.cos(np.pi * np.outer(place - 0.5, k) / N) for place in (wanted, given)]
    return (1 + 2 * cosines[0] @ cosines[1].T) / N


def tim(frames: np.ndarray, n: int) -> np.ndarray:
    """Temporal interpolation: (N, …) to (n, …), float32; the ends stay as they are.

    Values may leave the range of the given ones, as those of any smooth curve. Raises ValueError as `tim_weights`.
    """
    return np.tensordot(tim_weights(len(frames), n).astype(np.float32), frames.astype(np.float32), 1)


def lbp(frames: np.ndarray) -> np.ndarray:
    """Local binary patterns of the 8 neighbours: (T, H, W) to (T, H − 2, W − 2) uint8."""
    T, H, W = frames.shape
    centre, codes = frames[:, 1:-1, 1:-1], np.zeros((T, H - 2, W - 2), np.uint8)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (y, x) in enumerate(around):
        codes |= (frames[:, y : y + H - 2, x : x + W - 2] >= centre).astype(np.uint8) << bit
    return codes


def spot_apex(frames: np.ndarray, fps: float) -> int:
    """Index of the apex of a clip of grey frames (T, H, W) uint8: where most energy lies in high frequencies.

    Li, Huang, Zhao 2018. Any fast change counts: sensor noise and movement of the head can bury a faint expression.
    Raises ValueError where blocks are too small to hold frequencies that the high-pass lets by.
    """
    energy = high_frequencies(lbp(frames), 2 * max(1, round(WINDOW // 2 * fps / WINDOW_FPS)) + 1)
    return int(energy.argmax())


def most_different(frames: np.ndarray, fps: float | None = None) -> int:
    """Index of the frame that differs most from the first, of grey frames (T, H, W) uint8; `fps` does not matter."""
    frames = frames.astype(np.float32)
    return int(np.abs(frames - frames[0]).mean(axis=(1, 2)).argmax())


def high_frequencies(maps: np.ndarray, window: int) -> np.ndarray:
    """Sum of magnitudes of the high frequencies in the `window` (odd) around each of the maps (T, H, W): (T,).

    The 3D transform of block × window is the 2D one of each block, done once for every frame, and then one over time,
    of which only the frequencies that pass are computed.
    """
    T, H, W = maps.shape
    h, w = H // BLOCKS, W // BLOCKS
    ft = np.arange(window // 2 + 1)  # those below 0 mirror those above
    space = np.fft.fftfreq(h, 1 / h)[:, None] ** 2 + np.fft.fftfreq(w, 1 / w) ** 2 if h and w else np.empty(0)
    passing = ft[:, None] ** 2 + space.ravel() >= ((window + 1) / 2) ** 2
    if not passing.any():
        raise ValueError(f"frames of {H}×{W} are too small for a window of {window} frames; give larger ones")
    times, places = passing.any(axis=1), passing.any(axis=0)
    count = np.float32(passing * (1 + (ft > 0))[:, None])[times][:, places]
    blocks = maps[:, : BLOCKS * h, : BLOCKS * w].reshape(T, BLOCKS, h, BLOCKS, w).swapaxes(2, 3)
    spectra = fft2(blocks.astype(np.float32)).reshape(T, BLOCKS**2, h * w)
    spectra = spectra[:, :, places].swapaxes(0, 1)  # (36, T, frequencies in space)
    spectra = np.pad(spectra, ((0, 0), (window // 2, window // 2), (0, 0)), "edge")
    waves = np.exp(-2j * np.pi * np.outer(ft[times], np.arange(window)) / window).astype(np.complex64)
    return np.array([(np.abs(waves @ spectra[:, t : t + window]) * count).sum() for t in range(T)])
