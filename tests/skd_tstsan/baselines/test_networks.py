"""The released baselines: their weights, by from_released, give their golden numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from oracles import golden, recipe, released_weights, worst

import skd_tstsan.baselines as baselines
from skd_tstsan.baselines import CapsuleNet, MMNet, STSTNet, capsule_loss
from skd_tstsan.baselines.capsulenet import dynamic_routing, squash

RELEASES = {"ststnet": STSTNet, "capsulenet": CapsuleNet, "mmnet_5": MMNet}
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@pytest.fixture(scope="module")
def released():
    """By name: golden numbers, weights, and the network with them."""
    found = {}
    for name, network in RELEASES.items():
        weights = released_weights(arrays := golden(name))
        total = sum(w.double().abs().sum().item() for w in weights.values())
        assert total == pytest.approx(arrays["weights_abs_sum"].item())
        found[name] = arrays, weights, network.from_released(weights).eval()
    return found


def inputs(arrays, count: int, draw) -> list[torch.Tensor]:
    return [torch.from_numpy(draw(arrays["seed"].item(), j, arrays["x_shape"])) for j in range(count)]


def norms(maps: torch.Tensor) -> torch.Tensor:
    return maps.flatten(1).norm(dim=1)


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameters(released):
    assert parameters(STSTNet(3)) == released["ststnet"][0]["parameters"] == 1_683
    assert parameters(CapsuleNet(3)) == released["capsulenet"][0]["parameters"] == 13_842_496
    assert parameters(MMNet(5)) == released["mmnet_5"][0]["parameters"] - 532_106 == 9_438_841


@pytest.mark.parametrize("dtype", TOLERANCE)
@torch.no_grad()
def test_ststnet(released, dtype):
    arrays, _, net = released["ststnet"]
    (x,) = inputs(arrays, 1, recipe.uniform)
    x = (255 * x).to(dtype)  # a float32 value, as the weights are
    assert worst(net.to(dtype).features(x), arrays["features"]) < TOLERANCE[dtype]
    assert worst(net(x), arrays["logits"]) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@torch.no_grad()
def test_capsulenet(released, dtype):
    arrays, _, net = released["capsulenet"]
    (x,) = inputs(arrays, 1, recipe.uniform)
    x = x.to(dtype)
    maps = net.to(dtype).trunk(x)
    capsules = net.primary_capsules(x)
    assert maps.shape == tuple(arrays["trunk_shape"]) and capsules.shape == tuple(arrays["primary_shape"])
    assert worst(capsules[:, :144], arrays["primary_capsules"]) < max(TOLERANCE[dtype], 2e-7)  # stored in float32
    for measured, name in [
        (norms(maps), "trunk_norm"),
        (norms(capsules), "primary_norm"),
        (net.capsules(x), "digit_capsules"),
        (net(x), "lengths"),
    ]:
        assert worst(measured, arrays[name]) < TOLERANCE[dtype], name


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_routing_and_its_loss(dtype):
    """After one, two and three iterations; the gradients pass the last one alone."""
    arrays = golden("capsulenet")
    seed, gain = arrays["routing_seed"].item(), arrays["routing_gain"].item()
    capsules = (4 * torch.from_numpy(recipe.normal(seed, 0, (4, 12, 8)))).to(dtype).requires_grad_()
    classes = arrays["routing_output_3"].shape[1]
    drawn = recipe.weights(["weight"], [f"{classes},12,16,8"], seed)["weight"]
    weight = (gain * torch.from_numpy(drawn)).to(dtype).requires_grad_()
    for n in (1, 2, 3):
        assert worst(dynamic_routing(capsules, weight, n), arrays[f"routing_output_{n}"]) < TOLERANCE[dtype], n
    lengths = dynamic_routing(capsules, weight, arrays["routings"].item()).norm(dim=-1)
    loss = capsule_loss(lengths, torch.from_numpy(arrays["routing_labels"]))
    loss.backward()
    single = dtype == torch.float32
    assert worst(loss, arrays["routing_loss"]) < (1e-5 if single else 1e-9)
    for leaf, name in ((weight, "weight"), (capsules, "input")):
        assert worst(leaf.grad.norm(), arrays[f"routing_grad_norm_{name}"]) < (1e-2 if single else 1e-9), name


@pytest.mark.parametrize("dtype", TOLERANCE)
@torch.no_grad()
def test_mmnet(released, dtype):
    arrays, _, net = released["mmnet_5"]
    onset, apex = (x.to(dtype) for x in inputs(arrays, 2, recipe.normal))
    attentions = []
    hooks = [b.register_forward_hook(lambda block, x, out: attentions.append(out[1])) for b in net.to(dtype).blocks]
    main, position = net.motion(onset, apex), net.where(onset)
    for hook in hooks:
        hook.remove()
    measured = {
        "motion_norm": norms(net.stem(apex - onset)),
        "main_norm": norms(main),
        "position_norm": norms(position),
        "position_first_channels": position[:, :2].flatten(2),
        "attention4": attentions[3][:, 0],
        **{f"attention{i}_norm": norms(a) for i, a in enumerate(attentions, 1)},
        "logits": net(onset, apex),
    }
    net.antialias = True
    measured |= {"position_norm_antialiased": norms(net.where(onset)), "logits_antialiased": net(onset, apex)}
    net.antialias = False
    for name, value in measured.items():
        assert worst(value, arrays[name]) < TOLERANCE[dtype], name


def test_unused_weights_of_mmnet_are_accounted_for(released):
    """Without them, and in data-parallel names, the same network; they are those that the oracle lists."""
    arrays, weights, net = released["mmnet_5"]
    unused = set(map(str, arrays["unused"]))
    bare = MMNet.from_released({f"module.{name}": w for name, w in weights.items() if name not in unused})
    assert all(torch.equal(v, net.state_dict()[name].float()) for name, v in bare.state_dict().items())
    statistics = {name for name in weights if name.startswith("pos.1.") and name not in unused}
    assert len(weights) - len(net.state_dict()) == len(unused | statistics)


@pytest.mark.parametrize("name", RELEASES)
def test_weights_of_another_network(released, name):
    """All that is missing, unlike or unknown is named at once."""
    _, weights, _ = released[name]
    first, *_, last = [key for key in weights if not key.startswith(("timeembed", "head."))]
    changed = {key: w for key, w in weights.items() if key != first}
    changed |= {"layer9.weight": torch.zeros(1), "fc8.bias": torch.zeros(2)}
    with pytest.raises(ValueError, match=r"(?s)Missing key.*Unexpected key.*layer9.weight.*fc8.bias"):
        RELEASES[name].from_released(changed)
    with pytest.raises(ValueError, match=r"gives the number of classes"):
        RELEASES[name].from_released({"layer9.weight": torch.zeros(1)})
    key = next(k for k in weights if weights[k].ndim == 4 and not k.startswith(("timeembed", "pos.", "digitcaps")))
    with pytest.raises(ValueError, match=r"torch.Size\(\[1, 2, 3, 4\]\)"):
        RELEASES[name].from_released(weights | {key: torch.zeros(1, 2, 3, 4)})


def test_the_trunk_starts_from_torchvisions_resnet():
    from torchvision.models import resnet18

    state = resnet18().state_dict()
    net = CapsuleNet(3)
    net.load_imagenet(state)
    assert all(torch.equal(value, state[name]) for name, value in net.trunk.state_dict().items())
    (old := CapsuleNet(3)).load_imagenet({n: v for n, v in state.items() if not n.endswith("num_batches_tracked")})
    assert all(torch.equal(value, state[name]) for name, value in old.trunk.state_dict().items())
    with pytest.raises(ValueError, match="not the weights of a ResNet-18"):
        CapsuleNet(3, width=8).load_imagenet(state)


def test_capsule_loss_by_hand():
    lengths = torch.tensor([[0.5, 0.2, 0.0], [0.995, 0.01, 0.11]])
    own = (0.49**2 + 0.5 * 0.19**2) + 0.5 * 0.1**2
    assert capsule_loss(lengths, torch.tensor([0, 0])).item() == pytest.approx(own / 2, rel=1e-5)
    for lengths, y in [
        (torch.rand(2, 3), torch.tensor([0])),
        (torch.rand(3), torch.tensor([0, 1, 2])),
        (torch.rand(2, 3), torch.tensor([0.0, 1.0])),
        (torch.rand(0, 3), torch.tensor([], dtype=torch.long)),
    ]:
        with pytest.raises(ValueError, match="labels"):
            capsule_loss(lengths, y)


def test_squash_keeps_direction():
    s = torch.randn(5, 8)
    v = squash(s)
    torch.testing.assert_close(F.cosine_similarity(s, v), torch.ones(5))
    torch.testing.assert_close(v.norm(dim=1), s.norm(dim=1) ** 2 / (1 + s.norm(dim=1) ** 2))
    zero = torch.zeros(1, 8, requires_grad=True)
    squash(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


@pytest.mark.parametrize(
    ("net", "shapes"),
    [
        (lambda: STSTNet(3), [(2, 3, 32, 32)]),
        (lambda: STSTNet(3), [(3, 28, 28)]),
        (lambda: CapsuleNet(3, size=144, width=8), [(2, 3, 224, 224)]),
        (lambda: MMNet(5, size=32, width=8), [(2, 3, 32, 32), (1, 3, 32, 32)]),
        (lambda: MMNet(5, size=32, width=8), [(2, 1, 32, 32)] * 2),
    ],
)
def test_inputs_of_another_shape(net, shapes):
    with pytest.raises(ValueError, match=r"takes .*not \("):
        net()(*map(torch.rand, shapes))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CapsuleNet(3, size=128),
        lambda: CapsuleNet(3, width=7),
        lambda: CapsuleNet(3, routings=0),
        lambda: MMNet(5, size=225),
        lambda: MMNet(5, width=30),
        lambda: dynamic_routing(torch.rand(2, 12, 8), torch.rand(3, 11, 16, 8)),
    ],
)
def test_arguments_that_make_no_network(make):
    with pytest.raises(ValueError, match="needs a size|route capsules"):
        make()


def test_smaller_networks_learn():
    """At a smaller size and width: the loss of a fixed batch goes down, and every parameter has a gradient."""
    torch.manual_seed(0)
    y = torch.tensor([0, 1, 2, 0])
    for net, x, loss in [
        (STSTNet(3), [255 * torch.rand(4, 3, 28, 28)], F.cross_entropy),
        (CapsuleNet(3, size=144, width=8), [torch.rand(4, 3, 144, 144)], capsule_loss),
        (MMNet(3, size=32, width=8), list(torch.randn(2, 4, 3, 32, 32)), F.cross_entropy),
    ]:
        adam, losses = torch.optim.Adam(net.parameters(), 1e-3), []
        for _ in range(8):
            losses.append(loss(net(*x), y))
            adam.zero_grad()
            losses[-1].backward()
            adam.step()
        assert losses[-1] < losses[0] and all(p.grad is not None for p in net.parameters()), type(net).__name__


def test_each_file_can_be_taken_home(tmp_path):
    """Copied alone into an empty folder it imports there, with torch and torchvision alone."""
    networks, lines = {"ststnet": "STSTNet", "capsulenet": "CapsuleNet", "mmnet": "MMNet"}, ["import sys"]
    for file, network in networks.items():
        (tmp_path / file).mkdir()
        shutil.copy(Path(baselines.__file__).with_name(f"{file}.py"), tmp_path / file / f"my_{file}.py")
        lines += [f"sys.path[0] = {str(tmp_path / file)!r}", f"from my_{file} import {network}", f"{network}(3)"]
    lines.append("assert not {'shared', 'skd_tstsan', 'einops', 'pandas', 'timm'} & set(sys.modules)")
    environment = {"OMP_NUM_THREADS": "1", "PATH": ""}
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
