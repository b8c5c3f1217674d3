import pytest
import torch

from sca_au.attention import (
    FUSIONS,
    SCA,
    ChannelAttention,
    RowConvolution,
    RowFusion,
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


def test_fusions_element_by_element():
    a, b = torch.randn(2, 2, 3, 2, 2, dtype=torch.float64)
    fuse = {name: settle(FUSIONS[name]()) for name in ("max", "avg", "scalar", "concat")}
    w_sp, w_ch = fuse["scalar"].w_sp, fuse["scalar"].w_ch
    both = zip(a.flatten(), b.flatten(), strict=True)
    largest, mean, scaled = zip(*[(max(s, c), (s + c) / 2, w_sp * s + w_ch * c) for s, c in both], strict=True)
    for name, expected in (("max", largest), ("avg", mean), ("scalar", scaled)):
        torch.testing.assert_close(fuse[name](a, b), torch.stack(expected).view_as(a))
    joined = fuse["concat"](a, b)
    assert joined.shape == (2, 6, 2, 2)
    assert torch.equal(joined[:, :3], a) and torch.equal(joined[:, 3:], b)


def test_two_numbers_start_from_the_average():
    a, b = torch.randn(2, 2, 12, 4, 4)
    fusion = ScalarFusion()
    assert sum(p.numel() for p in fusion.parameters()) == 2
    torch.testing.assert_close(fusion(a, b), (a + b) / 2)


def test_row_fusion_slides_over_the_height_in_eight_groups_of_channels():
    fusion = settle(RowFusion(16))
    F_sp, F_ch = torch.randn(2, 1, 16, 3, 2, dtype=torch.float64)
    out = fusion.weigh(F_sp, F_ch)
    for c in range(16):
        group = range(c // 2 * 2, c // 2 * 2 + 2)
        for y in range(3):
            for x in range(2):
                expected = 0.0
                for conv, branch in ((fusion.w_sp, F_sp), (fusion.w_ch, F_ch)):
                    near = [(i, g, y + r - 4, r) for i, g in enumerate(group) for r in range(9) if 0 <= y + r - 4 < 3]
                    w = sum(conv.weight[c, i, r, 0] * branch[0, g, row, x] for i, g, row, r in near) + conv.bias[c]
                    expected += w * branch[0, c, y, x]
                torch.testing.assert_close(out[0, c, y, x], expected)


def test_sca_fuses_its_two_attentions():
    sca = settle(SCA(9, (3, 3), fusion="max", reduced=4))
    F = torch.randn(2, 9, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(sca(F), torch.maximum(sca.spatial(F), sca.channel(F)))
    assert SCA(9, (3, 3), fusion="concat", reduced=4).out_channels == 18


@pytest.mark.parametrize("fusion", FUSIONS)
def test_maps_with_time_are_weighed_by_their_mean_over_it(fusion):
    sca = settle(SCA(16, (3, 2), fusion=fusion, reduced=4))
    F = torch.randn(2, 16, 5, 3, 2, dtype=torch.float64)
    out, mean = sca(F), F.mean(2)
    for t in range(5):
        F_sp = F[:, :, t] * sca.spatial.weight(mean)[:, None]
        F_ch = F[:, :, t] * sca.channel.weight(mean)[:, :, None, None]
        torch.testing.assert_close(out[:, :, t], sca.fusion(F_sp, F_ch))
    torch.testing.assert_close(sca(mean[:, :, None])[:, :, 0], sca(mean))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: SCA(8, (4, 4), fusion="learn"), "fusion is one of max, avg, concat, scalar, rows, got 'learn'"),
        (lambda: SCA(12, (4, 4), fusion="rows"), "8 groups, got 12 channels"),
        (lambda: SCA(0, (4, 4)), "channels must be a whole number of 1 or more, got 0"),
        (lambda: SCA(8, (4, 4), reduced=2.5), "reduced must be a whole number"),
        (lambda: SCA(8, (4, 4), k=-1), "k must be a whole number"),
        (lambda: SCA(8, 4), r"size is the \(H, W\) of the maps, got 4"),
        (lambda: SCA(8, (4, 0)), "W must be a whole number of 1 or more, got 0"),
        (lambda: SCA(8, (4, 4))(torch.zeros(8, 4, 4)), r"or \(B, C, T, H, W\) of floats, got \(8, 4, 4\)"),
        (lambda: SCA(8, (4, 4))(torch.zeros(1, 8, 4, 4).int()), "of floats, got .* of torch.int32"),
        (lambda: SCA(8, (4, 4))(torch.zeros(1, 9, 4, 4)), "maps of 8 channels, got 9"),
        (lambda: SCA(8, (4, 4))(torch.zeros(1, 8, 7, 7)), r"\(4, 4\), got \(7, 7\)"),
        (lambda: SCA(8, (4, 4))(torch.zeros(1, 8, 2, 7, 7)), r"\(4, 4\), got \(7, 7\)"),
        (lambda: ChannelAttention(8).eval()(torch.zeros(1, 8, 1, 1)), "two observations"),
        (lambda: SpatialAttention((4, 4))(torch.zeros(1, 1, 4, 4)), "two observations"),
        (lambda: covariance(torch.zeros(4, 4)), r"takes \(B, N, D\)"),
    ],
)
def test_mistakes_are_said(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
