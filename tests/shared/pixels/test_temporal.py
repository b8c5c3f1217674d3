"""TIM against the papers' own steps, apex spotting against plain loops over windows and blocks, and on faces."""

import numpy as np
import pytest

from shared.pixels.temporal import high_frequencies, lbp, most_different, spot_apex, tim, tim_weights
from shared.synthetic import Clip, Person


def tim_by_svd(X: np.ndarray, n: int) -> np.ndarray:
    """Zhou et al. 2011: X (D, N) to (D, n), step by step."""
    N = X.shape[1]
    mean = X.mean(axis=1, keepdims=True)
    U, S, Vt = np.linalg.svd(X - mean, full_matrices=False)
    U, Q = U[:, : N - 1], np.diag(S[: N - 1]) @ Vt[: N - 1]
    adjacent = np.eye(N, k=1) + np.eye(N, k=-1)
    V0 = np.linalg.eigh(np.diag(adjacent.sum(axis=1)) - adjacent)[1][:, 1:]
    W = np.linalg.inv(Q @ Q.T) @ Q @ V0
    k = np.arange(1, N)
    phase = np.pi * (N - k) / (2 * N)
    m = (Q[:, 0] @ W) / np.sin(k * np.pi / N + phase)
    columns = []
    for t in np.linspace(0, 1, n):
        v = np.sin((t * (1 - 1 / N) + 1 / N) * k * np.pi + phase)
        columns.append(U @ np.linalg.inv(W.T) @ (v * m) + mean[:, 0])
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(("N", "n"), [(2, 5), (7, 7), (13, 10), (9, 30)])
def test_tim_does_what_the_papers_steps_do(N, n):
    frames = np.random.default_rng(N).random((N, 6, 5, 3))
    expected = tim_by_svd(frames.reshape(N, -1).T, n).T.reshape(n, 6, 5, 3)
    np.testing.assert_allclose(tim(frames, n), expected, atol=2e-6)


@pytest.mark.parametrize("N", [1, 2, 11, 70])
def test_as_many_frames_as_given_are_the_given_ones(N):
    np.testing.assert_allclose(tim_weights(N, N), np.eye(N), atol=1e-12)
    frames = np.random.default_rng(N).integers(0, 256, (N, 4, 4), np.uint8)
    np.testing.assert_allclose(tim(frames, N), frames, atol=1e-3)


@pytest.mark.parametrize(("N", "n"), [(5, 2), (5, 3), (40, 10), (10, 40)])
def test_the_ends_and_what_does_not_change_stay(N, n):
    frames = np.random.default_rng(n).random((N, 20))
    frames[:, 0] = 0.25
    made = tim(frames, n)
    np.testing.assert_allclose(made[[0, -1]], frames[[0, -1]], atol=1e-6)
    np.testing.assert_allclose(made[:, 0], 0.25, atol=1e-6)


def test_on_a_line_of_two_frames_a_quarter_wave_joins_them():
    """From 0 to 1: x(t) = ½ − cos(π/4 + πt/2)/√2, by hand from the one eigenvector (1, −1)/√2."""
    t = np.linspace(0, 1, 9)
    expected = 0.5 - np.cos(np.pi / 4 + np.pi * t / 2) / np.sqrt(2)
    np.testing.assert_allclose(tim(np.array([[0.0], [1.0]]), 9)[:, 0], expected, atol=1e-6)


def test_a_cosine_is_followed_between_the_frames():
    N, k = 12, 3
    frames = np.cos(np.pi * k * (np.arange(N) + 0.5) / N)[:, None]
    between = np.cos(np.pi * k * (np.linspace(0, N - 1, 50) + 0.5) / N)[:, None]
    np.testing.assert_allclose(tim(frames, 50), between, atol=1e-6)


def test_frames_that_repeat_stay_finite_and_no_frames_are_refused():
    frames = np.repeat(np.random.default_rng(0).random((3, 8)), 2, axis=0)
    assert np.abs(tim(frames, 10)).max() < 2
    with pytest.raises(ValueError, match="at least one frame"):
        tim(frames[:0], 10)


def test_lbp_pixel_by_pixel():
    frames = np.random.default_rng(0).integers(0, 4, (2, 5, 6), np.uint8)
    around = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for t in range(2):
        for y in range(1, 4):
            for x in range(1, 5):
                bits = [int(frames[t, y + dy, x + dx] >= frames[t, y, x]) for dy, dx in around]
                assert lbp(frames)[t, y - 1, x - 1] == sum(bit << i for i, bit in enumerate(bits))


@pytest.mark.parametrize(("T", "H", "W", "window"), [(5, 31, 26, 5), (9, 24, 30, 7), (3, 49, 48, 9)])
def test_high_frequencies_window_by_window_and_block_by_block(T, H, W, window):
    maps = np.random.default_rng(T).integers(0, 256, (T, H, W), np.uint8)
    longer = np.concatenate([maps[:1]] * (window // 2) + [maps] + [maps[-1:]] * (window // 2))
    h, w = H // 6, W // 6
    away = [np.arange(size) - size // 2 for size in (window, h, w)]
    distance = np.sqrt(away[0][:, None, None] ** 2 + away[1][:, None] ** 2 + away[2] ** 2)
    expected = np.zeros(T)
    for t in range(T):
        for i in range(6):
            for j in range(6):
                block = longer[t : t + window, i * h : (i + 1) * h, j * w : (j + 1) * w]
                spectrum = np.fft.fftshift(np.fft.fftn(block.astype(float)))
                expected[t] += np.abs(spectrum[distance >= (window + 1) / 2]).sum()
    np.testing.assert_allclose(high_frequencies(maps, window), expected, rtol=2e-5)


def test_a_burst_is_spotted_where_it_is():
    frames = np.full((40, 80, 80), 128, np.uint8)
    frames[:] += np.arange(80, dtype=np.uint8)
    frames[26:35, 20:60, 20:60] = np.random.default_rng(0).integers(0, 256, (9, 40, 40))  # as long as the window
    assert spot_apex(frames, 30) == 30


def test_the_apex_of_a_strong_expression_is_near_the_true_one():
    clip = Clip(
        Person.draw(3),
        {12: 1.0, 6: 0.8, 25: 0.9},
        frames=40,
        onset=24,
        apex=28,
        offset=34,
        fps=30,
        seed=1,
        sway=0.2,
        blink=False,
        noise=0,
    )
    assert abs(spot_apex(clip.render(96, gray=True), 30) - 28) <= 5


def test_frames_too_small_for_the_window_are_refused():
    with pytest.raises(ValueError, match="8×8 are too small for a window of 61 frames"):
        spot_apex(np.zeros((4, 10, 10), np.uint8), 200)
    with pytest.raises(ValueError, match="too small"):
        spot_apex(np.zeros((4, 6, 6), np.uint8), 30)


def test_the_most_different_frame_counts_all_pixels():
    frames = np.full((6, 8, 8), 100, np.uint8)
    frames[4, 2:6, 2:6] = 30
    frames[2, 2:4, 2:4] = 255
    assert most_different(frames) == most_different(frames, 25.0) == 4
