import pytest
import torch

from sca_au.attention import (
    FUSIONS,
    SCA,
    ChannelAttention,
    LearnedFusion,
    RowConvolution,
    ScalarFusion,
    SpatialAttention,
    covariance,
)


def settle(module):
    """Random parameters and running statistics, so that no term is absent from a comparison; float64, eval mode."""
    torch.manual_seed(0)
    for p in module.parameters():
        torch.nn.init.normal_(p, std=0.5)
    for name, b in module.named_buffers():
        if "running" in name:
            b.uniform_(0.5, 1.5)
    return module.double().eval()


def loop_covariance(vectors):
    """Eq. (1) and (2) as printed: the mean over vectors of the outer products of their deviations, n - 1 below."""
    mean = sum(vectors) / len(vectors)
    C = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for f in vectors:
        for i in range(len(f)):
            for j in range(len(f)):
                C[i, j] += (f[i] - mean[i]) * (f[j] - mean[j])
    return C / (len(vectors) - 1)


def loop_norm(bn, x, channel):
    scale = bn.weight[channel] / (bn.running_var[channel] + bn.eps).sqrt()
    return (x - bn.running_mean[channel]) * scale + bn.bias[channel]


def loop_rows(rows, C):
    """Filters of row i see row i alone; k outputs a row, row by row."""
    N, k = len(C), rows.conv.out_channels // len(C)
    out = []
    for i in range(N):
        row = loop_norm(rows.norm, C[i], i)
        for j in range(k):
            weight = rows.conv.weight[i * k + j, 0]
            out.append(sum(weight[m] * row[m] for m in range(N)) + rows.conv.bias[i * k + j])
    return torch.stack(out)


def test_covariances_follow_the_equations():
    F = torch.randn(2, 5, 2, 3, dtype=torch.float64)
    C_ch, C_sp = covariance(F.flatten(2)), covariance(F.flatten(2).mT)
    for b in range(2):
        positions = [F[b, :, y, x] for y in range(2) for x in range(3)]
        channels = [F[b, c].flatten() for c in range(5)]
        torch.testing.assert_close(C_ch[b], loop_covariance(positions))
        torch.testing.assert_close(C_sp[b], loop_covariance(channels))


def test_covariance_needs_two_observations():
    with pytest.raises(ValueError, match="two observations"):
        covariance(torch.randn(1, 4, 1))


def test_row_convolution_is_a_loop_over_rows():
    rows = settle(RowConvolution(6, k=4))
    C = torch.randn(3, 6, 6, dtype=torch.float64)
    out = rows(C)
    assert out.shape == (3, 24)
    for b in range(3):
        torch.testing.assert_close(out[b], loop_rows(rows, C[b]))


def test_channel_attention_step_by_step():
    attention = settle(ChannelAttention(7, reduced=5, k=4))
    F = torch.randn(2, 7, 3, 2, dtype=torch.float64)
    conv, norm, _ = attention.reduce
    out = attention(F)
    for b in range(2):
        positions = []
        for y in range(3):
            for x in range(2):
                f = conv.weight[:, :, 0, 0] @ F[b, :, y, x] + conv.bias
                positions.append(torch.stack([loop_norm(norm, f[i], i).clamp(min=0) for i in range(5)]))
        rows = loop_rows(attention.rows, loop_covariance(positions))
        w = 1 / (1 + torch.exp(-(attention.expand.weight @ rows + attention.expand.bias)))
        for c in range(7):
            torch.testing.assert_close(out[b, c], w[c] * F[b, c])


def test_spatial_attention_step_by_step():
    attention = settle(SpatialAttention((2, 3), k=4))
    F = torch.randn(2, 7, 2, 3, dtype=torch.float64)
    out = attention(F)
    for b in range(2):
        rows = loop_rows(attention.rows, loop_covariance([F[b, c].flatten() for c in range(7)]))
        w = 1 / (1 + torch.exp(-(attention.expand.weight @ rows + attention.expand.bias)))
        for y in range(2):
            for x in range(3):
                torch.testing.assert_close(out[b, :, y, x], w[y * 3 + x] * F[b, :, y, x])


@pytest.mark.parametrize("shape", [(3, 512, 4, 4), (2, 24, 7, 5), (1, 8, 1, 2)])
def test_any_map_keeps_its_shape_and_passes_gradients(shape):
    B, C, H, W = shape
    for module in (ChannelAttention(C, reduced=6), SpatialAttention((H, W)), SCA(C, (H, W), reduced=6)):
        F = torch.randn(shape, requires_grad=True)
        out = module(F)
        assert out.shape == shape
        out.square().sum().backward()
        assert F.grad.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_spatial_attention_names_both_sizes():
    with pytest.raises(ValueError, match=r"\(4, 4\), got \(7, 7\)"):
        SpatialAttention((4, 4))(torch.randn(1, 3, 7, 7))


def test_fusions_element_by_element():
    a, b = torch.randn(2, 2, 3, 2, 2, dtype=torch.float64)
    fuse = {name: settle(cls()) for name, cls in FUSIONS.items()}
    w = fuse["scalar"].w
    both = zip(a.flatten(), b.flatten(), strict=True)
    largest, mean, scaled = zip(*[(max(s, c), (s + c) / 2, w[0] * s + w[1] * c) for s, c in both], strict=True)
    for name, expected in (("max", largest), ("avg", mean), ("scalar", scaled)):
        torch.testing.assert_close(fuse[name](a, b), torch.stack(expected).view_as(a))
    joined = fuse["concat"](a, b)
    assert joined.shape == (2, 6, 2, 2)
    assert torch.equal(joined[:, :3], a) and torch.equal(joined[:, 3:], b)


def test_learned_fusion_weighs_each_branch_by_nine_of_its_own_channels():
    fusion = settle(LearnedFusion())
    C, H, W = 12, 2, 2
    branches = torch.randn(2, 1, C, H, W, dtype=torch.float64)
    out = fusion(*branches)
    for c in range(C):
        for y in range(H):
            for x in range(W):
                expected = 0.0
                for group, branch in enumerate(branches):
                    near = [(k, c + k - 4) for k in range(9) if 0 <= c + k - 4 < C]
                    w = sum(fusion.conv.weight[group, 0, k, 0] * branch[0, n, y, x] for k, n in near)
                    expected += (w + fusion.conv.bias[group]) * branch[0, c, y, x]
                torch.testing.assert_close(out[0, c, y, x], expected)


@pytest.mark.parametrize("fusion", [LearnedFusion, ScalarFusion])
def test_learned_weights_start_from_the_average(fusion):
    a, b = torch.randn(2, 2, 12, 4, 4)
    torch.testing.assert_close(fusion()(a, b), (a + b) / 2)


def test_sca_fuses_its_two_attentions():
    sca = settle(SCA(9, (3, 3), fusion="max", reduced=4))
    F = torch.randn(2, 9, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(sca(F), torch.maximum(sca.spatial(F), sca.channel(F)))
    assert SCA(9, (3, 3), fusion="concat", reduced=4).out_channels == 18
