"""Against OpenCV's DualTVL1 and against motion that is known."""

import math
import shutil
import subprocess
import sys

import cv2
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F

from shared.pixels import flow as module
from shared.pixels.flow import _median5, strain, tvl1
from shared.synthetic import Clip, Person


def warps(B, size=128, amplitude=1.5, seed=0):
    """I0, I1 uint8 and the true flow: I0(x) = I1(x + u(x)) for a smooth random u in pixels."""
    generator = torch.Generator().manual_seed(seed)

    def smooth(channels, cells):
        x = torch.randn(B, channels, cells, cells, generator=generator)
        return F.interpolate(x, size=(size, size), mode="bicubic", align_corners=True)

    I1 = sum(weight * smooth(1, cells) for cells, weight in ((8, 1.0), (20, 0.7), (50, 0.5)))
    I1 -= I1.amin((2, 3), keepdim=True)
    I1 *= 255 / I1.amax((2, 3), keepdim=True)
    u = amplitude * smooth(2, 4)
    y, x = torch.meshgrid(*2 * [torch.arange(float(size))], indexing="ij")
    grid = (torch.stack([x, y], -1) + u.permute(0, 2, 3, 1)) * 2 / (size - 1) - 1
    I0 = F.grid_sample(I1, grid, mode="bicubic", padding_mode="border", align_corners=True)
    return I0[:, 0].clamp(0, 255).round().byte(), I1[:, 0].round().byte(), u


def faces():
    """Onset and apex of small expressions, grey, with the motion drawn."""
    expressions = [{12: 0.3}, {1: 0.3, 2: 0.3}, {4: 0.35}, {6: 0.6, 12: 0.5}, {15: 0.4}, {26: 0.4}]
    clips = [
        Clip(Person.draw(seed), aus, frames=3, onset=0, apex=1, offset=2, fps=100, seed=seed)
        for seed, aus in enumerate(expressions)
    ]
    frames = torch.stack([torch.as_tensor(clip.render(128, gray=True)) for clip in clips])
    return frames[:, 0], frames[:, 1], torch.stack([torch.as_tensor(clip.motion(1, 128)) for clip in clips])


def opencv(I0, I1):
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    pairs = zip(I0.numpy(), I1.numpy(), strict=True)
    return torch.stack([torch.from_numpy(solver.calc(a, b, None)) for a, b in pairs]).permute(0, 3, 1, 2)


def distance(u, v):
    return (u - v).norm(dim=1)


@pytest.mark.parametrize(
    ("pairs", "most"),
    [(lambda: warps(6), 0.002), (lambda: warps(4, amplitude=0.3, seed=1), 0.004), (faces, 0.02)],
    ids=["warps", "small warps", "faces"],
)
def test_agrees_with_opencv(pairs, most):
    I0, I1, truth = pairs()
    flow, reference = tvl1(I0, I1), opencv(I0, I1)
    assert distance(flow, reference).median() <= most
    assert distance(flow, truth).mean() <= 1.01 * distance(reference, truth).mean()
    assert distance(flow, truth).mean() < 0.8 * truth.norm(dim=1).mean()


def test_odd_sizes_and_floating_images():
    I0, I1, _ = warps(3, size=75)
    I0, I1 = I0[:, :61], I1[:, :61]
    flow = tvl1(I0, I1)
    assert flow.shape == (3, 2, 61, 75) and distance(flow, opencv(I0, I1)).median() <= 0.05
    torch.testing.assert_close(tvl1(I0 / 255, I1 / 255), flow, atol=1e-3, rtol=0)


def test_a_pair_does_not_depend_on_its_batch():
    I0, I1, _ = warps(3, size=64)
    together = tvl1(I0, I1)
    for i in range(3):
        torch.testing.assert_close(tvl1(I0[i : i + 1], I1[i : i + 1])[0], together[i], atol=1e-4, rtol=0)


def test_no_motion_and_no_texture():
    I, _, _ = warps(1, size=48)
    assert tvl1(I, I).abs().max() == 0
    flat = torch.full((2, 48, 48), 90, dtype=torch.uint8)
    assert tvl1(flat, flat + 10).abs().max() == 0


def test_threads_are_left_as_they_were():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match=r"\(B, H, W\)"):
        tvl1(torch.zeros(2, 1, 48, 48), torch.zeros(2, 1, 48, 48))
    tvl1(*warps(1, size=48)[:2])
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "image",
    [
        torch.full((1, 20, 20), 200.0),
        torch.full((1, 20, 20), float("nan")),
        torch.full((1, 20, 20), -0.5),
        torch.ones(1, 20, 20, dtype=torch.int64),
    ],
)
def test_images_of_another_range(image):
    with pytest.raises(ValueError, match=r"uint8, or floating in \[0, 1\]"):
        tvl1(image, image)


def test_median_filter():
    x = torch.randn(2, 2, 9, 13)
    expected = scipy.ndimage.median_filter(x.numpy(), size=(1, 1, 5, 5), mode="nearest")
    assert torch.equal(_median5(x), torch.from_numpy(expected))


@pytest.mark.parametrize("B", [1, 5])
def test_a_pair_alone_is_as_in_its_batch(B):
    """Whatever the batch's size, that leaves a last part of one pair among them."""
    frames = torch.randint(0, 256, (B + 1, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together = tvl1(frames[:-1], frames[1:])
    for i in range(B):
        torch.testing.assert_close(tvl1(frames[i : i + 1], frames[i + 1 : i + 2])[0], together[i])


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [  # u_x, u_y, v_x, v_y
        ((0.0, 0.0, 0.0, 0.0), 0.0),  # the face as a whole moves
        ((0.0, -0.3, 0.3, 0.0), 0.0),  # or turns
        ((0.2, 0.0, 0.0, 0.2), 0.2 * math.sqrt(2)),  # or comes closer
        ((0.0, 0.4, 0.0, 0.0), 0.4 / math.sqrt(2)),  # simple shear
        ((0.3, 0.1, -0.2, 0.4), math.sqrt(0.3**2 + 0.4**2 + (0.1 - 0.2) ** 2 / 2)),
    ],
)
def test_strain_of_a_linear_flow(gradient, expected):
    """The same everywhere, the borders included, wherever the flow is 0."""
    u_x, u_y, v_x, v_y = gradient
    y, x = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    flow = torch.stack([u_x * x + u_y * y + 3, v_x * x + v_y * y - 1]).expand(2, 2, 7, 9)
    torch.testing.assert_close(strain(flow), torch.full((2, 7, 9), expected), atol=1e-6, rtol=1e-5)


def test_strain_of_a_bent_flow():
    """u = x², v = x y: u_x = 2 x, v_x = y, v_y = x; central differences are exact up to the second power."""
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    expected = (4 * x**2 + x**2 + y**2 / 2).sqrt()
    measured = strain(torch.stack([x**2, x * y]))
    torch.testing.assert_close(measured[:, 1:-1], expected[:, 1:-1])
    for shape in ((2, 5), (3, 8, 8), (2, 1, 8)):
        with pytest.raises(ValueError, match="2, H, W"):
            strain(torch.zeros(shape))


def test_the_file_can_be_taken_home(tmp_path):
    """Copied alone into an empty folder it is imported there, and computes."""
    shutil.copy(module.__file__, tmp_path / "my_flow.py")
    code = (
        "import sys, torch, my_flow; I = torch.rand(1, 20, 20); print(my_flow.tvl1(I, I).shape);"
        "assert not {'shared', 'scipy', 'cv2', 'torchvision'} & set(sys.modules)"
    )
    environment = {"OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "torch.Size([1, 2, 20, 20])\n", done.stderr
