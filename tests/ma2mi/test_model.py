import pytest
import torch
import torchvision
from torch import nn

from ma2mi.model import Encoder, MIACNet


def pair(size=64, batch=2):
    return (2 * torch.rand(2, batch, 3, size, size, generator=torch.Generator().manual_seed(0)) - 1).unbind()


def test_encoder_is_torchvisions_resnet18_without_its_head():
    torch.manual_seed(0)
    reference = torchvision.models.resnet18().eval()
    headless = nn.Sequential(*list(reference.children())[:-2])
    encoder = Encoder().eval()
    encoder.load_state_dict({k: v for k, v in reference.state_dict().items() if not k.startswith("fc.")})
    x, _ = pair()
    torch.testing.assert_close(encoder(x), headless(x))


def test_paper_sizes():
    with torch.device("meta"):
        net, x = MIACNet(5), torch.empty(2, 3, 256, 256)
    F_p, F_a = net.encode(x, x)
    assert F_p.shape == F_a.shape == (2, 512, 8, 8)
    assert net.join(F_p, F_a).shape == (2, 768)
    assert net(x, x).shape == (2, 5)
    resnet18 = 11_689_512 - 513_000  # torchvision's count, less its 1000-class layer
    assert sum(p.numel() for p in net.parameters()) == 2 * resnet18 + (1024 * 768 + 768) + (768 * 5 + 5)


@pytest.mark.parametrize("join", ["concat", "add"])
def test_joining_written_out(join):
    net = MIACNet(width=4, dim=6, join=join).double()
    F_p, F_a = torch.randn(2, 3, 32, 2, 2, dtype=torch.double)
    W, b = net.proj.weight[:, :, 0, 0], net.proj.bias
    expected = torch.zeros(3, 6, dtype=torch.double)
    for n in range(3):
        for y in range(2):
            for x in range(2):
                p, a = F_p[n, :, y, x], F_a[n, :, y, x]
                z = W[:, :32] @ p + W[:, 32:] @ a + b if join == "concat" else W @ (p + a) + b
                expected[n] += z * (1 + torch.erf(z / 2**0.5)) / 2 / 4
    torch.testing.assert_close(net.join(F_p, F_a), expected)


def test_action_branch_sees_the_difference_alone():
    I_t, I_td = (I / 2 for I in pair())
    net = MIACNet(width=4).eval()
    _, F_a = net.encode(I_t, I_td)
    _, moved = net.encode(I_t + 0.5, I_td + 0.5)
    torch.testing.assert_close(F_a, moved, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(F_a, net.E_a(I_td - I_t))
    torch.testing.assert_close(net.encode(I_t, I_td)[0], net.E_p(I_t))


def test_detached_position_features_train_the_action_branch_only():
    net = MIACNet(width=4, dim=8)
    F_p, F_a = net.encode(*pair())
    net.join(F_p.detach(), F_a).square().sum().backward()
    assert all(p.grad is None for p in net.E_p.parameters())
    assert all(p.grad.abs().sum() > 0 for p in net.E_a.parameters())


def test_without_the_position_branch():
    net = MIACNet(3, width=4, dim=8, position=False)
    F_p, F_a = net.encode(*pair())
    assert F_p is None and net(*pair()).shape == (2, 3)
    assert not any(name.startswith("E_p") for name in net.state_dict())


def test_classifier_starts_at_zero_and_learns():
    net = MIACNet(3, width=4, dim=8)
    logits = net(*pair())
    assert (logits == 0).all()
    nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    assert net.fc.weight.grad.abs().sum() > 0


def test_unknown_join_is_named():
    with pytest.raises(ValueError, match="'concat' or 'add', not 'sum'"):
        MIACNet(join="sum")


@pytest.mark.parametrize(
    "I_t, I_td, sentence",
    [
        (torch.ones(1, 3, 64, 64), torch.ones(2, 3, 64, 64), "must both be \\(B, 3, H, W\\), not \\(1, 3, 64, 64\\)"),
        (torch.ones(2, 1, 64, 64), torch.ones(2, 1, 64, 64), "must both be"),
        (torch.ones(3, 64, 64), torch.ones(3, 64, 64), "must both be"),
        (torch.ones(2, 3, 64, 64, dtype=torch.uint8),) * 2 + ("floating point in \\[-1, 1\\], not torch.uint8",),
    ],
)
def test_images_that_would_be_broadcast_or_wrap_around_are_refused(I_t, I_td, sentence):
    with pytest.raises(ValueError, match=sentence):
        MIACNet(3, width=4, join="add")(I_t, I_td)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2, not 1"):
        MIACNet(1)
