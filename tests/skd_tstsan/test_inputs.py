"""Images and flow against what the released loader and flow script make of three clips, and against OpenCV's flow."""

import numpy as np
import pytest
import torch
from oracles import golden

from shared.pixels.flow import tvl1
from skd_tstsan.data import flows, grey, whole_and_patches


@pytest.fixture(params=["a", "b", "c"])
def clip(request):
    return golden(f"skd_input_{request.param}")


def test_images(clip):
    """Each face is stretched once, and only then cut and resized."""
    images = whole_and_patches(torch.from_numpy(clip["faces"][None, :2]), 48)
    np.testing.assert_allclose(images[0].numpy(), clip["images"], atol=1e-5, rtol=0)


def test_grey_flow(clip):
    """One step of 256 in a few pixels: the release takes the flow through polar coordinates and back."""
    off = (grey(torch.from_numpy(clip["flow_pixels"])) - torch.from_numpy(clip["flow"])).abs()
    assert off.max() < 1.001 / 255 and (off > 1e-6).double().mean() <= 0.02


def quantiles(flow, reference):
    """The median and the 95 % quantile of the end-point error of flows (N, 2, H, W), in pixels."""
    return np.quantile(np.linalg.norm(np.asarray(flow) - reference, axis=1), [0.5, 0.95])


def test_flow_of_the_clips(clip):
    flow = flows(clip["faces"][..., None], size=48, domains=2)
    median, most = quantiles(flow.reshape(2, 2, 48, 48), clip["flow_pixels"].reshape(2, 2, 48, 48))
    assert median < 0.02 and most < 0.07


@pytest.mark.parametrize("i", range(3), ids=["texture", "face", "scene"])
def test_flow_of_opencv(i):
    arrays = golden("tvl1")
    I0, I1 = torch.from_numpy(arrays["pairs"][i, :, None])
    median, most = quantiles(tvl1(I0, I1), arrays["flow"][i, None])
    assert median < 0.02 and most < 0.07
