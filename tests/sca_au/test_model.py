import re

import pytest
import torch

from sca_au import Res3D, SCANetwork
from sca_au.attention import FUSIONS
from sca_au.losses import total_loss

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def zoo_names(depth):
    """Parameter names of the 2018 model zoo: convolution and norm by turns, shortcuts with parameters under B only."""
    norm = ("weight", "bias", "running_mean", "running_var")
    names = ["conv1.weight", *(f"bn1.{n}" for n in norm), "fc.weight", "fc.bias"]
    for stage, blocks in enumerate(BLOCKS[depth], 1):
        for i in range(blocks):
            block = f"layer{stage}.{i}"
            for c in range(1, 3 if depth == 18 else 4):
                names += [f"{block}.conv{c}.weight", *(f"{block}.bn{c}.{n}" for n in norm)]
            if depth > 18 and i == 0:
                names += [f"{block}.downsample.0.weight", *(f"{block}.downsample.1.{n}" for n in norm)]
    return names


@pytest.mark.parametrize("depth, parameters", [(18, 33_235_280), (50, 47_018_576), (101, 86_064_720)])
def test_parameter_counts_and_names_are_the_zoos(depth, parameters):
    with torch.device("meta"):
        network = Res3D(depth)
    assert sum(p.numel() for p in network.parameters()) == parameters
    names = [n for n in network.state_dict() if not n.endswith("num_batches_tracked")]
    assert sorted(names) == sorted(zoo_names(depth))


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_shapes_at_the_papers_size(depth):
    shapes = {}
    with torch.device("meta"):
        network = Res3D(depth)
        for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            network.get_submodule(name).register_forward_hook(
                lambda m, i, out, name=name: shapes.update({name: tuple(out.shape[1:])})
            )
        assert network(torch.empty(2, 3, 10, 112, 112)).shape == (2, 400)
    e = 1 if depth == 18 else 4
    assert shapes == {
        "conv1": (64, 10, 56, 56),
        "maxpool": (64, 5, 28, 28),
        "layer1": (64 * e, 5, 28, 28),
        "layer2": (128 * e, 3, 14, 14),
        "layer3": (256 * e, 2, 7, 7),
        "layer4": (512 * e, 1, 4, 4),
    }


def test_shortcut_without_parameters_passes_gradients():
    network = Res3D(18, classes=None)
    x = torch.randn(2, 64, 2, 4, 4, requires_grad=True)
    out = network.layer2[0].downsample(x)
    assert out.shape == (2, 128, 1, 2, 2) and not out[:, 64:].any()
    out.sum().backward()
    kept = torch.zeros_like(x)
    kept[:, :, ::2, ::2, ::2] = 1
    assert torch.equal(x.grad, kept)


def test_zoo_checkpoint_loads_with_and_without_its_classifier(tmp_path):
    torch.manual_seed(0)
    zoo = Res3D(18, classes=101)
    state = {f"module.{n}": w for n, w in zoo.state_dict().items() if not n.endswith("num_batches_tracked")}
    torch.save({"epoch": 200, "arch": "resnet-18", "state_dict": state, "optimizer": {}}, tmp_path / "zoo.pth")

    backbone, same = Res3D(18, classes=None), Res3D(18, classes=101)
    assert backbone.load_zoo(tmp_path / "zoo.pth") == 101
    assert same.load_zoo(state) == 101
    for name, w in zoo.state_dict().items():
        assert torch.equal(same.state_dict()[name], w)
        assert name.startswith("fc.") or torch.equal(backbone.state_dict()[name], w)

    with pytest.raises(RuntimeError, match=re.escape("fc.weight")):
        Res3D(18).load_zoo(state)
    del state["module.layer3.1.bn2.weight"]
    with pytest.raises(RuntimeError, match=re.escape("layer3.1.bn2.weight")):
        backbone.load_zoo(state)
    assert backbone.fc is None and backbone.load_zoo(backbone.state_dict()) is None
    with pytest.raises(ValueError, match="not all of its values are finite numbers: bn1.weight"):
        backbone.load_zoo(backbone.state_dict() | {"bn1.weight": torch.full((64,), float("nan"))})


@pytest.mark.parametrize("attention", [None, "SA", "CA", *FUSIONS])
def test_every_row_of_the_ablation_gives_one_logit_an_au_and_trains(attention):
    torch.manual_seed(0)
    network = SCANetwork(8, attention=attention, size=48, width=32)
    logits = network(torch.rand(1, 3, 4, 48, 48))  # one clip is enough for batch statistics
    assert logits.shape == (1, 8)
    total_loss(logits, torch.randint(0, 2, (1, 8))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("attention", ["SA", "CA"])
def test_spatial_attention_weighs_positions_and_channel_attention_channels(attention):
    torch.manual_seed(0)
    F_ = torch.rand(2, 32, 2, 2) + 0.5
    with torch.no_grad():
        weights = SCANetwork(2, attention=attention, size=48, width=4, reduced=8).eval().attention(F_) / F_
    over_channels, over_positions = weights.std(1).flatten(), weights.flatten(2).std(2).flatten()
    alike, apart = (over_channels, over_positions) if attention == "SA" else (over_positions, over_channels)
    assert alike.max() < 1e-6 and apart.min() > 1e-3


def test_dropout_in_training_is_of_what_the_head_sees():
    """Half of the features, the others doubled."""
    torch.manual_seed(0)
    network, seen = SCANetwork(2, size=48, width=32), []
    network.head.register_forward_pre_hook(lambda head, given: seen.append(given[0]))
    x = torch.rand(4, 3, 4, 48, 48)
    with torch.no_grad():
        network.train()(x)
        features, (dropped,) = network.features(x).mean((2, 3)), seen  # batch statistics are those of the clips
        there = dropped != 0
        torch.testing.assert_close(dropped, 2 * features * there)
        assert 0.4 < there[features > 0].float().mean() < 0.6
        network.eval()(x)
        torch.testing.assert_close(seen[1], network.features(x).mean((2, 3)))


def test_logits_are_linear_in_the_mean_of_the_attended_map():
    torch.manual_seed(0)
    network = SCANetwork(4, size=48).eval()
    x = torch.rand(2, 3, 4, 48, 48)
    with torch.no_grad():
        F_sc, logits = network.features(x), network(x)
        F_ = network.backbone.features(network.centred(x))[:, :, 0]
        torch.testing.assert_close(F_sc, network.attention(F_))
        for i in range(4):
            expected = (F_sc * network.head.weight[i][:, None, None]).sum(1).mean((1, 2)) + network.head.bias[i]
            torch.testing.assert_close(logits[:, i], expected)


@pytest.mark.parametrize("depth", [50, 101])
def test_deep_networks_with_attention_at_the_papers_size(depth):
    with torch.device("meta"):
        network = SCANetwork(8, depth=depth)
        assert network.features(torch.empty(2, 3, 10, 112, 112)).shape == (2, 2048, 4, 4)
        assert network(torch.empty(2, 3, 10, 112, 112)).shape == (2, 8)


@pytest.mark.parametrize("subtract", [False, True])
def test_the_backbone_sees_clips_less_the_zoo_s_mean_or_the_first_frame(subtract):
    clips = torch.randint(0, 256, (2, 3, 4, 40, 40))
    seen = []
    network = SCANetwork(2, attention=None, size=40, width=2, subtract=subtract).eval()
    network.backbone.conv1.register_forward_hook(lambda m, given, out: seen.append(given[0]))
    network(clips / 255)
    for b, c, t, y, x in ((0, 0, 0, 0, 0), (1, 2, 3, 4, 5), (1, 1, 2, 0, 3)):
        expected = clips[b, c, t, y, x] - (clips[b, c, 0, y, x] if subtract else (114.7748, 107.7354, 99.4750)[c])
        assert seen[0][b, c, t, y, x].item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: Res3D(34), "depth is one of 18, 50, 101, got 34"),
        (lambda: Res3D(classes=0), "classes must be a whole number of 1 or more, got 0"),
        (lambda: Res3D(width=0), "width must be"),
        (lambda: Res3D(width=2, classes=None)(torch.zeros(1, 3, 2, 40, 40)), "call features instead"),
        (lambda: Res3D(width=2)(torch.zeros(1, 3, 40, 40)), r"clips \(B, 3, T, H, W\) of floats, got \(1, 3, 40, 40\)"),
        (lambda: Res3D(width=2)(torch.zeros(1, 2, 3, 40, 40)), "clips"),
        (lambda: Res3D(width=2)(torch.zeros(1, 3, 2, 40, 40).byte()), "of torch.uint8"),
        (lambda: Res3D(width=2).load_zoo([]), "no weights by name"),
        (lambda: SCANetwork(8, attention="both"), "one of max, avg, concat, scalar, rows, got 'both'"),
        (lambda: SCANetwork(8, depth=19), "depth is one of"),
        (lambda: SCANetwork(8, size=32), "clips of 32×32 leave a map of one position"),
        (lambda: SCANetwork(0), "M must be a whole number of 1 or more, got 0"),
        (lambda: SCANetwork(8, width=2, reduced=0), "reduced must be"),
        (lambda: SCANetwork(8, width=2, dropout=1.5), "dropout"),
        (lambda: SCANetwork(8, width=2)(torch.full((1, 3, 4, 112, 112), 255.0)), r"values in \[0, 1\], got 255 to 255"),
        (lambda: SCANetwork(8, width=2)(torch.full((1, 3, 4, 112, 112), float("nan"))), "got nan"),
        (lambda: SCANetwork(8, width=2)(torch.zeros(3, 4, 112, 112)), r"clips \(B, 3, T, H, W\) of floats"),
        (lambda: SCANetwork(8, width=2)(torch.zeros(1, 3, 4, 40, 40)), r"clips of \(40, 40\): .* 112 × 112"),
    ],
)
def test_mistakes_are_said(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_convolutions_start_as_the_zoos():
    """Normal weights of variance 2 / (output channels · kernel volume)."""
    torch.manual_seed(0)
    w = Res3D(18, classes=None).layer2[0].conv1.weight
    assert abs(w.var().item() * 128 * 27 / 2 - 1) < 0.02
