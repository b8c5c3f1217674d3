"""The modules against loops in float64, written from the equations and from what the released code is known to do."""

import math

import pytest
import torch

from skd_tstsan import ECA, MotionMagnification, TemporalShift
from skd_tstsan.magnify import Manipulator, ShapeEncoder


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("segments", [2, 5])
def test_temporal_shift(segments):
    B, C = 2, 17
    x = random(B * segments, C, 3, 4)
    expected = torch.zeros_like(x)
    for b in range(B):
        for t in range(segments):
            for c in range(C):
                source = t + 1 if c < 2 else t - 1 if c < 4 else t
                if 0 <= source < segments:
                    expected[b * segments + t, c] = x[b * segments + source, c]
    assert torch.equal(TemporalShift(segments)(x), expected)
    assert not list(TemporalShift(segments).parameters())


@pytest.mark.parametrize("channels, k", [(64, 3), (128, 5)])
def test_eca(channels, k):
    eca = ECA(channels).double()
    x = random(2, channels, 4, 5)
    w = eca.conv.weight.detach().flatten()
    assert len(w) == k and [*dict(eca.named_parameters())] == ["conv.weight"]
    expected = torch.zeros_like(x)
    for b in range(2):
        for c in range(channels):
            M = 0.0
            for j in range(k):
                if 0 <= (n := c + j - k // 2) < channels:
                    M += w[j] * (x[b, n].sum() / 20 + x[b, n].max())
            expected[b, c] = x[b, c] / (1 + math.exp(-M))
    torch.testing.assert_close(eca(x), expected)


def reflect(i, n):
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


def convolve(x, weight, stride=1):
    """Convolution with mirrored borders, a loop over output pixels; x (B, C, H, W)."""
    (_, _, H, W), k = x.shape, weight.shape[-1]
    out = x.new_zeros(len(x), len(weight), -(-H // stride), -(-W // stride))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            rows = [reflect(i * stride + d - k // 2, H) for d in range(k)]
            cols = [reflect(j * stride + d - k // 2, W) for d in range(k)]
            out[:, :, i, j] = torch.einsum("bcij,ocij->bo", x[:, :, rows][:, :, :, cols], weight)
    return out


def residual(x, block):
    return x + convolve(convolve(x, block.cba_1.weight).clamp(min=0), block.cba_2.weight)


@pytest.mark.parametrize("follow", ["release", "paper"])
@torch.no_grad()
def test_manipulator(follow):
    m = Manipulator(alpha=3.0, follow=follow).double()
    assert m.g.kernel_size == ((7, 7) if follow == "release" else (3, 3))
    M_a, M_b = random(2, 32, 6, 7), random(2, 32, 6, 7, seed=1)
    motion = convolve(3.0 * convolve(M_b - M_a, m.g.weight).clamp(min=0), m.h_conv.weight)
    expected = residual(motion, m.h_resblk) + (M_b if follow == "release" else M_a)
    torch.testing.assert_close(m(M_a, M_b), expected)


@torch.no_grad()
def test_shape_encoder():
    encoder = ShapeEncoder(2).double()
    x = random(1, 2, 12, 10)
    y = convolve(convolve(x, encoder.cba_1.weight).clamp(min=0), encoder.cba_2.weight, stride=2).clamp(min=0)
    for block in encoder.resblks:
        y = residual(y, block)
    y = convolve(y, encoder.motion_cba.weight).clamp(min=0)
    for block in encoder.motion_resblks:
        y = residual(y, block)
    assert y.shape == (1, 32, 6, 5)
    torch.testing.assert_close(encoder(x), y)


@torch.no_grad()
def test_no_motion_stands_for_zeros():
    magnify = MotionMagnification(2).double()
    flow = random(3, 2, 16, 16)
    torch.testing.assert_close(magnify(None, flow), magnify(torch.zeros_like(flow), flow))
    onset = random(3, 2, 16, 16, seed=1)
    apart = magnify.manipulator(magnify.encoder(onset), magnify.encoder(flow))
    torch.testing.assert_close(magnify(onset, flow), apart)


def test_amplification_factor_scales_the_motion():
    """h is positively homogeneous, so that the magnified part grows in proportion to alpha (Eq. 1)."""
    torch.manual_seed(0)
    one, four = (MotionMagnification(1, alpha=alpha).double() for alpha in (1.0, 4.0))
    four.load_state_dict(one.state_dict())
    a, b = random(2, 1, 16, 16), random(2, 1, 16, 16, seed=1)
    M_b = one.encoder(b)
    torch.testing.assert_close(four(a, b) - M_b, 4 * (one(a, b) - M_b))


def test_frames_that_do_not_belong_together():
    with pytest.raises(ValueError, match="5 frames: .* 2 segments"):
        TemporalShift(2)(random(5, 8, 3, 3))
    with pytest.raises(ValueError, match=r"\(1, 1, 16, 16\) and \(3, 1, 16, 16\)"):
        MotionMagnification(1).double()(random(1, 1, 16, 16), random(3, 1, 16, 16))


def test_unknown_follow():
    with pytest.raises(ValueError, match="papers"):
        Manipulator(follow="papers")
