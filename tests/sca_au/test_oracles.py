"""Backbone, attention and fusion against what released modules of others put out."""

import pytest
import torch
import torch.nn.functional as F
from oracles import golden, recipe, released_weights, worst

from sca_au import Res3D, attention
from sca_au.attention import ChannelAttention, RowConvolution, RowFusion, SpatialAttention

SPATIAL = {
    "rows.norm": "row_bn_for_spatial",
    "rows.conv": "row_conv_group_for_spatial",
    "expand": "fc_adapt_channels_for_spatial",
}
CHANNEL = {
    "reduce.0": "conv_for_DR",
    "reduce.1": "bn_for_DR",
    "rows.norm": "row_bn",
    "rows.conv": "row_conv_group",
    "expand": "fc_adapt_channels",
}
FUSION = {"w_ch": "dilate_conv_for_concat1", "w_sp": "dilate_conv_for_concat2", "norm": "bn_for_concat"}


def loaded(module, state, names):
    """`module` with the released weights, in eval mode; `names`: our parts -> the released ones."""
    own = module.state_dict()
    for name, w in own.items():
        part, _, kind = name.rpartition(".")
        own[name] = state[f"{names[part]}.{kind}"].view(w.shape)
    module.load_state_dict(own)
    return module.double().eval()


def normal(arrays, j, shape):
    return torch.from_numpy(recipe.normal(arrays["seed"], j, shape)).double()


def released_covariance(monkeypatch, positions):
    """That code's X Xᵀ/M − s sᵀ/M², M always the number of positions: not centred where channels are observations."""

    def covariance(f):
        s = f.sum(2, keepdim=True)
        return f @ f.mT / positions - s @ s.mT / positions**2

    monkeypatch.setattr(attention, "covariance", covariance)
    return covariance


@pytest.mark.parametrize("depth", [18, 50, 101])
@torch.no_grad()
def test_res3d_is_the_released_network(depth):
    arrays = golden(f"res3d_{depth}")
    net, state = Res3D(depth, classes=10), released_weights(arrays)
    assert sum(w.double().abs().sum() for w in state.values()).item() == pytest.approx(arrays["weights_abs_sum"])
    assert net.load_zoo({f"module.{name}": w for name, w in state.items()}) == 10
    assert sum(p.numel() for p in net.parameters()) == arrays["parameters"]
    maps = net.double().eval().features(normal(arrays, 0, arrays["x_shape"]))
    assert maps.shape == tuple(arrays["map_shape"])
    assert maps.norm().item() == pytest.approx(arrays["map_norm"], rel=1e-9)
    assert worst(maps.mean(1).flatten(1), arrays["map_positions"]) < 1e-9
    assert worst(maps.mean((2, 3, 4)), arrays["pooled"]) < 1e-7  # stored as float32
    assert worst(net.fc(maps.mean((2, 3, 4))), arrays["logits"]) < 1e-9


@pytest.mark.parametrize("j", [0, 1])
@torch.no_grad()
def test_attention_is_that_of_second_order_pooling(j, monkeypatch):
    """The network that the paper follows, in its own arrangement of our parts."""
    arrays = golden("gsop_attention")
    state, image = released_weights(arrays), normal(arrays, j, arrays[f"x{j}_shape"])
    x = image.relu()
    ours = attention.covariance
    channel = loaded(ChannelAttention(512, reduced=32), state, CHANNEL)
    M, reduced = x[0, 0].numel(), channel.reduce(x).flatten(2)
    first = arrays[f"channel_covariance{j}_first_rows"]
    assert worst(ours(reduced)[:, :2] * (M - 1) / M, first) < 1e-9  # Eq. (1) but for its divisor
    released_covariance(monkeypatch, M)
    assert worst(channel.weight(x), arrays[f"channel{j}"]) < 1e-9

    spatial = loaded(SpatialAttention((8, 8), relu=True), state, SPATIAL)
    reduce = {"0": "conv_for_DR_spatial", "1": "bn_for_DR_spatial"}
    small = loaded(torch.nn.Sequential(torch.nn.Conv2d(512, 32, 1), torch.nn.BatchNorm2d(32)), state, reduce)(x)
    small = F.adaptive_avg_pool2d(small, 8)
    covariance = released_covariance(monkeypatch, 64)
    assert worst(covariance(small.flatten(2).mT)[:, :2], arrays[f"position_covariance{j}_first_rows"]) < 1e-9
    w_sp = F.adaptive_avg_pool2d(spatial.weight(small), x.shape[2:])
    assert worst(w_sp, arrays[f"position{j}"]) < 1e-9

    fuse = loaded(RowFusion(512), state, FUSION)
    F_ch, F_sp = image * torch.from_numpy(arrays[f"channel{j}"])[:, :, None, None], (image * w_sp[:, None]).relu()
    fused = fuse.norm(fuse.w_ch(F_ch) + fuse.w_sp(F_sp))  # there the convolutions are what is summed
    assert worst(fused[:, :4], arrays[f"fused{j}_first_channels"]) < 1e-9
    assert worst(fused.mean((2, 3)), arrays[f"fused{j}_mean_over_positions"]) < 1e-9


class GroupsModule(torch.nn.Module):
    """The SCA of the paper's group, of our parts: its channel branch has one filter a row and no second convolution."""

    def __init__(self, state):
        super().__init__()
        self.spatial = loaded(SpatialAttention((4, 4), relu=True), state, SPATIAL)
        self.rows = loaded(RowConvolution(512, k=1), state, {"norm": "row_bn", "conv": "row_conv_group"})
        self.fuse = loaded(RowFusion(512), state, FUSION)
        self.head = loaded(torch.nn.Linear(512, 12), state, {"": "fc"})

    def branches(self, x):
        w_ch = self.rows(attention.covariance(x.flatten(2))).sigmoid()
        return self.spatial(x), x * w_ch[:, :, None, None]

    def forward(self, x):
        return self.head(self.fuse(*self.branches(x)).mean((2, 3)))


@torch.no_grad()
def test_attention_and_fusion_are_those_of_the_group_s_code(monkeypatch):
    arrays = golden("sca_meb_modules")
    x = (0.1 * normal(arrays, 0, arrays["x_shape"]).float().relu()).double()
    module = GroupsModule(released_weights(arrays))
    released_covariance(monkeypatch, 16)
    F_sp, F_ch = module.branches(x)
    assert worst(module.spatial.weight(x), arrays["position"]) < 1e-9
    assert worst((F_ch / x).nan_to_num().amax((2, 3)), arrays["channel"]) < 1e-9
    assert sum(p.numel() for conv in (module.fuse.w_sp, module.fuse.w_ch) for p in conv.parameters()) == 590_848
    for branch, conv, name in ((F_sp, module.fuse.w_sp, "position"), (F_ch, module.fuse.w_ch, "channel")):
        assert worst(conv(branch).mean((2, 3)), arrays[f"weight_map_{name}_mean"]) < 1e-9
    assert worst(module.fuse.weigh(F_sp, F_ch), arrays["fused_before_bn"]) < 1e-7  # stored as float32
    assert worst(module(x), arrays["logits"]) < 1e-9


@torch.no_grad()
def test_backbone_and_attention_are_the_group_s_network(monkeypatch):
    arrays = golden("sca_meb_network")
    state = released_weights(arrays)
    backbone, module = Res3D(18, classes=None), GroupsModule(state)
    backbone.load_zoo({name: w for name, w in state.items() if name in backbone.state_dict()})
    ours = sum(p.numel() for part in (backbone, module) for p in part.parameters())
    assert ours + 534_560 == arrays["parameters"]  # of two reductions and an expansion that no output depends on
    released_covariance(monkeypatch, 16)
    maps = backbone.double().eval().features(normal(arrays, 0, arrays["x_shape"]))
    assert worst(module(maps[:, :, 0]), arrays["logits"]) < 1e-9
