import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d, gaussian_filter, map_coordinates
from scipy.optimize import minimize_scalar

from dvasp import magnify, prepare
from shared.synthetic import Clip, Person

X = torch.arange(240, dtype=torch.float64)


def grating(wavelength, shift, angle=0.0):
    """(1, 1, 240, 240), moved by `shift` pixels across its bars."""
    across = math.cos(angle) * X + math.sin(angle) * X[:, None]
    return (0.5 + 0.3 * torch.sin(2 * math.pi * (across - shift) / wavelength))[None, None]


def measured_shift(image, onset, wavelength):
    """Pixels along x, from the phases at the wavelength in the 160 middle columns, a whole number of bars."""
    wave = torch.exp(-2j * math.pi * X[40:200] / wavelength)
    phases = [((x[0, 0, 40:200, 40:200] - 0.5) * wave).sum().angle() for x in (onset, image)]
    return (phases[0] - phases[1]).item() * wavelength / (2 * math.pi)


def pyramid_reference(onset, apex, ratio, lambda_c):
    """One channel with SciPy: band after band taken off, multiplied, and put back at full size."""

    def blur(x):
        for axis in (0, 1):
            x = correlate1d(x, np.array([1, 4, 6, 4, 1]) / 16, axis=axis, mode="mirror")
        return x

    def up(x, shapes):
        for shape in reversed(shapes):
            full = np.zeros(shape)
            full[::2, ::2] = x
            x = 4 * blur(full)
        return x

    x, shapes, change, level = apex - onset, [], 0, 0
    while min(x.shape) >= 5:
        small = blur(x)[::2, ::2]
        band = x - up(small, [x.shape])
        gain = 1 if level == 0 else 1 + (ratio - 1) * min(1, 4 * 2**level / lambda_c)
        change = change + up(gain * band, shapes)
        shapes.append(x.shape)
        x, level = small, level + 1
    return np.clip(onset + change + up(x, shapes), 0, 1)


@pytest.mark.parametrize("shape", [(64, 64), (47, 61)])
def test_against_scipy(shape):
    rng = np.random.default_rng(0)
    onset, apex = rng.random((2, 2, 3, *shape))
    onset, apex = 0.1 + 0.8 * onset, 0.1 + 0.8 * onset + 0.02 * (apex - 0.5)
    result = magnify(torch.from_numpy(onset), torch.from_numpy(apex), ratio=7, lambda_c=20).numpy()
    for b, c in np.ndindex(2, 3):
        np.testing.assert_allclose(result[b, c], pyramid_reference(onset[b, c], apex[b, c], 7, 20), atol=1e-12)


@pytest.mark.parametrize("wavelength", [20, 32, 80, 160])
@pytest.mark.parametrize("shift", [0.01, -0.03])
def test_sub_pixel_motion_is_scaled_by_the_ratio(wavelength, shift):
    onset, apex = grating(wavelength, 0), grating(wavelength, shift)
    moved = measured_shift(magnify(onset, apex), onset, wavelength)
    assert moved / shift == pytest.approx(30, rel=0.15)


def test_structure_below_the_cut_off_wavelength_moves_less():
    shares = [measured_shift(magnify(grating(w, 0), grating(w, 0.01)), grating(w, 0), w) / 0.3 for w in (8, 16, 32, 80)]
    assert shares == sorted(shares) and shares[0] < 0.6 and shares[-1] > 0.95


def test_ratio_1_is_the_apex_and_brightness_as_a_whole_is_not_magnified():
    onset, apex = grating(20, 0, angle=0.4), grating(20, 0.7, angle=0.4)
    torch.testing.assert_close(magnify(onset, apex, ratio=1), apex)
    torch.testing.assert_close(magnify(onset, onset + 0.01), onset + 0.01)


def test_images_that_are_no_pair_in_0_to_1_are_refused():
    x = torch.rand(2, 3, 40, 40)
    for said, onset, apex, options in (
        ("255", x, 255 * x, {}),
        ("uint8", (255 * x).byte(), (255 * x).byte(), {}),
        ("nan", x, x * torch.nan, {}),
        ("same shape", x, x[:1], {}),
        ("10 pixels or more", x[..., :9], x[..., :9], {}),
        ("expected \\(B, C, H, W\\)", x[0], x[0], {}),
        ("floats", x[:0], x[:0], {}),
        ("ratio=-1", x, x, {"ratio": -1.0}),
        ("lambda_c=0", x, x, {"lambda_c": 0.0}),
    ):
        with pytest.raises(ValueError, match=said):
            magnify(onset, apex, **options)
    with pytest.raises(ValueError, match="expected 240 x 240"):
        prepare(x, x)
    with pytest.raises(ValueError, match="size=224: expected 1 to resize=40"):
        prepare(x, x, resize=40)


def onset_apex_motion(seed, sway, aus):
    """A face without noise, twice (1, 1, 240, 240), means of 2 x 2 finer pixels, and its true motion (2, 240, 240)."""
    times = {"frames": 2, "onset": 0, "apex": 1, "offset": 1, "fps": 20}
    clip = Clip(Person.draw(seed), aus, **times, seed=seed, sway=sway, blink=False, noise=0)
    fine = torch.from_numpy(clip.render(480, gray=True))[:, None].double() / 255
    onset, apex = torch.nn.functional.avg_pool2d(fine, 2).split(1)
    return onset, apex, clip.motion(1, 240)


def measured_scale(image, onset, motion):
    """s for which the onset moved by s x motion is nearest to the image, in what a blur of 4 pixels leaves of both."""

    def seen(x):
        return gaussian_filter(x, 4)[24:-24, 24:-24]

    def distance(s):
        u, v = s * motion
        moved = map_coordinates(onset[0, 0].numpy(), [y - v, x - u], order=3, mode="nearest")
        return ((seen(moved) - seen(image[0, 0].numpy())) ** 2).sum()

    y, x = np.mgrid[:240, :240]
    return minimize_scalar(distance, bounds=(0, 45), method="bounded", options={"xatol": 0.02}).x


@pytest.mark.parametrize(
    ("seed", "sway", "aus"), [(1, 0.06, {}), (2, 0.06, {}), (3, 0.0, {1: 0.01, 2: 0.01})], ids=["head", "head", "brows"]
)
def test_sub_pixel_motion_of_a_face_is_scaled_by_the_ratio(seed, sway, aus):
    onset, apex, motion = onset_apex_motion(seed, sway, aus)
    assert 0.005 < np.hypot(*motion).max() < 0.05  # times 30 it is small against brows, lids and lips
    assert measured_scale(apex, onset, motion) == pytest.approx(1, abs=0.1)
    assert measured_scale(magnify(onset, apex), onset, motion) == pytest.approx(30, rel=0.15)
