import cmath
import math

import numpy as np
import pytest

from sca_au.data import DESCRIPTORS
from sca_au.descriptors import hog3d, lbp_sip, lbp_top, lpq_top
from sca_au.descriptors.lpq import phase_codes

rng = np.random.default_rng(0)


def block_of(i, n, blocks):
    """Which of `blocks` stretches of n, borders rounded to whole numbers, holds i."""
    return next(b for b in range(blocks) if i < round((b + 1) * n / blocks))


def loop_histograms(code, shape, margins, bins, blocks):
    """Normalised histograms, block by block, of the codes of all voxels at least `margins` from the border."""
    T, H, W = shape
    mt, my, mx = margins
    out = np.zeros((blocks, blocks, bins))
    for t in range(mt, T - mt):
        for y in range(my, H - my):
            for x in range(mx, W - mx):
                block = block_of(y - my, H - 2 * my, blocks), block_of(x - mx, W - 2 * mx, blocks)
                out[block][code(t, y, x)] += 1
    return (out / out.sum(2, keepdims=True)).reshape(blocks**2, bins)


def changes(pattern):
    bits = f"{pattern:08b}"
    return sum(bits[i] != bits[i - 1] for i in range(8))


def loop_lbp_top(v, radii, blocks):
    Rx, Ry, Rt = radii
    uniform = [p for p in range(256) if changes(p) <= 2]
    assert len(uniform) == 58

    def plane(place):
        def code(t, y, x):
            pattern = 0
            for p in range(8):
                a = 2 * math.pi * p / 8
                dt, dy, dx = place(math.cos(a), math.sin(a))
                pattern += 2**p * (v[t + round(dt), y + round(dy), x + round(dx)] >= v[t, y, x])
            return uniform.index(pattern) if pattern in uniform else 58

        return loop_histograms(code, v.shape, (Rt, Ry, Rx), 59, blocks)

    xy = plane(lambda c, s: (0, -Ry * s, Rx * c))
    xt = plane(lambda c, s: (Rt * s, 0, Rx * c))
    yt = plane(lambda c, s: (Rt * c, -Ry * s, 0))
    return np.concatenate([xy, xt, yt], 1).ravel()


def loop_lbp_sip(v, radii, blocks):
    Rx, Ry, Rt = radii

    def space(t, y, x):
        points = v[t, y, x + Rx], v[t, y - Ry, x], v[t, y, x - Rx], v[t, y + Ry, x]
        return sum(2**p * (n >= v[t, y, x]) for p, n in enumerate(points))

    def time(t, y, x):
        return 1 * (v[t + Rt, y, x] >= v[t, y, x]) + 2 * (v[t - Rt, y, x] >= v[t, y, x])

    parts = [loop_histograms(code, v.shape, (Rt, Ry, Rx), bins, blocks) for code, bins in ((space, 16), (time, 4))]
    return np.concatenate(parts, 1).ravel()


def loop_lpq_top(v, M, blocks):
    m, a = M // 2, 1 / M
    frequencies = [(a, 0), (0, a), (a, a), (a, -a)]

    def plane(step):
        def code(t, y, x):
            real = imaginary = 0
            for k, (u0, u1) in enumerate(frequencies):
                F = 0
                for i in range(-m, m + 1):
                    for j in range(-m, m + 1):
                        dt, dy, dx = step(i, j)
                        F += v[t - dt, y - dy, x - dx] * cmath.exp(-2j * math.pi * (u0 * i + u1 * j))
                real += 2**k * (F.real >= 0)
                imaginary += 2**k * (F.imag >= 0)
            return real + 16 * imaginary

        return loop_histograms(code, v.shape, (m, m, m), 256, blocks)

    planes = [plane(lambda i, j: (0, j, i)), plane(lambda i, j: (j, 0, i)), plane(lambda i, j: (j, i, 0))]
    return np.concatenate(planes, 1).ravel()


def loop_hog3d(v, blocks, cells, S, cut):
    phi = (1 + math.sqrt(5)) / 2
    faces = [(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
    corners = [(0, a / phi, b * phi) for a in (-1, 1) for b in (-1, 1)]
    faces += corners + [(z, x, y) for x, y, z in corners] + [(y, z, x) for x, y, z in corners]
    faces = [np.array(f) / math.sqrt(3) for f in faces]
    threshold = max(f @ faces[0] for f in faces[1:])  # of neighbouring faces

    def slope(v, axis, at):
        n, low, high = v.shape[axis], list(at), list(at)
        low[axis], high[axis] = max(at[axis] - 1, 0), min(at[axis] + 1, n - 1)
        return (v[tuple(high)] - v[tuple(low)]) / (high[axis] - low[axis])

    T, H, W = v.shape
    nt, ny, nx = cells
    parts = nt * S, blocks * ny * S, blocks * nx * S
    descriptors = []
    for by in range(blocks):
        for bx in range(blocks):
            descriptor = []
            for cell in np.ndindex(nt, ny, nx):
                h = np.zeros(20)
                for sub in np.ndindex(S, S, S):
                    index = [c * S + s for c, s in zip(cell, sub, strict=True)]
                    index[1] += by * ny * S
                    index[2] += bx * nx * S
                    ts, ys, xs = (
                        range(round(i * n / p), round((i + 1) * n / p))
                        for i, n, p in zip(index, (T, H, W), parts, strict=True)
                    )
                    g, count = np.zeros(3), 0
                    for t in ts:
                        for y in ys:
                            for x in xs:
                                g += [slope(v, axis, (t, y, x)) for axis in (2, 1, 0)]
                                count += 1
                    g /= count
                    length = math.sqrt(g @ g)
                    q = np.array([max(f @ g / length - threshold, 0) for f in faces])
                    h += length * q / math.sqrt(q @ q)
                descriptor.extend(h)
            d = np.array(descriptor)
            d = np.minimum(d / math.sqrt(d @ d), cut)
            descriptors.append(d / math.sqrt(d @ d))
    return np.concatenate(descriptors)


@pytest.mark.parametrize("radii, blocks", [((3, 3, 3), 5), ((1, 2, 3), 2), ((2, 1, 1), 1)])
@pytest.mark.parametrize("fast, slow", [(lbp_top, loop_lbp_top), (lbp_sip, loop_lbp_sip)])
def test_binary_patterns_equal_the_loop_exactly(fast, slow, radii, blocks):
    v = rng.integers(0, 8, (9, 13, 14), np.uint8)  # few grey levels: many ties
    assert np.array_equal(fast(v, radii=radii, blocks=blocks), slow(v, radii, blocks))


@pytest.mark.parametrize("shape, window, blocks", [((5, 11, 10), 5, 5), ((5, 6, 7), 3, 2)])
def test_phase_quantisation_equals_the_loop(shape, window, blocks):
    v = rng.random(shape)
    fast, slow = lpq_top(v, window=window, blocks=blocks), loop_lpq_top(v, window, blocks)
    np.testing.assert_allclose(fast, slow, atol=1e-6)


@pytest.mark.parametrize(
    "shape, blocks, cells, S",
    [((7, 25, 26), 2, (1, 2, 2), 3), ((4, 11, 13), 3, (2, 1, 3), 1), ((5, 9, 8), 1, (1, 2, 1), 2)],
)
@pytest.mark.parametrize("cut", [0.25, 1.0])
def test_oriented_gradients_equal_the_loop(shape, blocks, cells, S, cut):
    v = rng.random(shape)
    fast = hog3d(v, blocks=blocks, cells=cells, subblocks=S, cut=cut)
    np.testing.assert_allclose(fast, loop_hog3d(v, blocks, cells, S, cut), atol=1e-6)


def test_lengths_at_the_papers_settings():
    v = rng.integers(0, 256, (50, 64, 64), np.uint8)
    lengths = {"LBP-TOP": 25 * 3 * 59, "LBP-SIP": 25 * 20, "LPQ-TOP": 25 * 3 * 256, "HOG3D": 25 * 3 * 4 * 4 * 20}
    assert DESCRIPTORS.keys() == lengths.keys()
    for name, descriptor in DESCRIPTORS.items():
        assert descriptor(v).shape == (lengths[name],)
        assert np.isfinite(descriptor(v)).all()


@pytest.mark.parametrize("descriptor", [lbp_top, lbp_sip])
def test_binary_patterns_ignore_any_increasing_change_of_grey(descriptor):
    v = rng.integers(0, 256, (8, 20, 20), np.uint8)
    curve = np.cumsum(rng.random(256) + 1e-3)
    assert np.array_equal(descriptor(v), descriptor(curve[v]))


def blur(v, axes):
    for axis in axes:
        v = 0.7 * v + 0.15 * (np.roll(v, 1, axis) + np.roll(v, -1, axis))
    return v


@pytest.mark.parametrize("plane, axes", enumerate([(2, 1), (2, 0), (1, 0)]))
def test_phase_ignores_symmetric_blur_within_its_plane(plane, axes):
    """Exact where the window is the signal's period, so that its coefficients are those of the whole signal."""
    v = np.tile(rng.random((5, 5, 5)), (3, 4, 5))
    sharp, blurred = (lpq_top(u).reshape(25, 3, 256)[:, plane] for u in (v, blur(v, axes)))
    assert not np.allclose(v, blur(v, axes))
    assert np.array_equal(sharp, blurred)


def test_few_phases_of_plain_texture_change_under_blur():
    v = rng.random((1, 90, 90))
    sharp, blurred = (phase_codes(u, (2, 1), 5) for u in (v, blur(v, (2, 1))))
    assert np.unpackbits(sharp ^ blurred).mean() < 0.15  # of the bits; by chance 0.5


@pytest.mark.parametrize("descriptor", [lpq_top, hog3d])
def test_phase_and_gradients_ignore_brightness_and_contrast(descriptor):
    v = rng.random((10, 64, 64))
    np.testing.assert_allclose(descriptor(v), descriptor(3 * v + 40), atol=1e-6)


@pytest.mark.parametrize("descriptor", [lbp_top, lbp_sip, lpq_top, hog3d])
def test_flat_volumes_are_all_of_one_kind_and_small_ones_an_error(descriptor):
    flat = [descriptor(np.full((10, 64, 64), grey, np.uint8)) for grey in (3, 200)]
    assert np.array_equal(*flat) and np.isfinite(flat[0]).all()
    for shape in ((4, 64, 64), (10, 6, 64), (10, 64, 4)):
        with pytest.raises(ValueError):
            descriptor(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda v: lbp_top(v[0]), r"grey volume \(T, H, W\)"),
        (lambda v: lpq_top(np.where(v > 0.5, np.nan, v)), "finite real numbers"),
        (lambda v: hog3d(v[..., None]), "grey volume"),
        (lambda v: lbp_top(v * 1j), "real numbers, got an array of .*complex128"),
        (lambda v: lbp_top(v, radii=(0, 3, 3)), "radii must be whole numbers of 1 or more"),
        (lambda v: lbp_sip(v, radii=(3, 3, 1.5)), "radii"),
        (lambda v: lbp_sip(v, blocks=0), "blocks"),
        (lambda v: lpq_top(v, window=4), "window must be odd, 3 or more, got 4"),
        (lambda v: lpq_top(v, window=1), "window must be odd"),
        (lambda v: hog3d(v, cells=(3, 0, 4)), "cells"),
        (lambda v: hog3d(v, cut=0), "cut must be above 0"),
    ],
)
def test_mistakes_are_said(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake(rng.random((10, 64, 64)))
