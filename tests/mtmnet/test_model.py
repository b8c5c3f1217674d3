import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from mtmnet import Discriminator, EIDNet, MTMNet
from mtmnet.model import Encoder


def seeded(make):
    torch.manual_seed(0)
    return make()


def test_backbone_is_torchvisions_resnet18_with_imagenets_normalisation():
    library = seeded(resnet18).double().eval()
    for module in library.modules():  # running statistics that differ from layer to layer
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    encoder = Encoder().double().eval()
    encoder.load_imagenet(library.state_dict())
    x = torch.rand(2, 3, 64, 96, dtype=torch.double)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    library.avgpool, library.fc = nn.Identity(), nn.Unflatten(1, (512, 2, 3))
    features = library((x - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    f_e, f_s = encoder(x)
    torch.testing.assert_close(f_e, encoder.branch_e(features), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(f_s, encoder.branch_s(features), rtol=1e-5, atol=1e-6)


def test_weights_of_another_network_are_refused():
    with pytest.raises(RuntimeError, match="layer1.2.conv1.weight"):
        Encoder().load_imagenet({**resnet18().state_dict(), "layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)})


def test_sizes_of_the_paper():
    with torch.device("meta"):
        net = EIDNet(classes=5, subjects=23)
        out = net(torch.zeros(2, 3, 224, 224), torch.zeros(2, 3, 224, 224))
        assert out.f_E_e.shape == out.f_E_s.shape == out.f_N_s.shape == (2, 256, 7, 7)
        assert out.reconstruction.shape == (2, 3, 224, 224)
        assert out.expression.shape == (2, 5)
        assert net.D_s(out.f_E_e).shape == (2, 23)
        real, fake = Discriminator()(out.f_E_e, out.f_E_e)
        assert real.shape == fake.shape == (2,)
    assert sum(p.numel() for p in net.E.backbone.parameters()) == 11_689_512 - 513_000  # ResNet-18's less its fc
    convolutions = [m for m in net.D_r.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in convolutions] == [512, 256, 128, 64, 32, 16]


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_small_widths_and_sizes(width, size):
    net = EIDNet(classes=3, subjects=4, width=width)
    x = torch.rand(2, 3, *size)
    out = net(x, x)
    assert out.reconstruction.shape == x.shape
    assert out.reconstruction.min() >= 0 and out.reconstruction.max() <= 1
    assert out.f_E_e.shape == (2, 4 * width, size[0] // 32, size[1] // 32)


def test_a_size_that_the_decoder_cannot_return_to_is_refused():
    with pytest.raises(ValueError, match="100×64.*multiples of 32"):
        EIDNet(classes=3, subjects=4, width=8)(torch.rand(1, 3, 100, 64), torch.rand(1, 3, 100, 64))


def test_each_embedding_comes_from_the_image_and_branch_that_its_name_says():
    net = seeded(lambda: EIDNet(classes=3, subjects=4, width=8)).eval()
    x_N, x_E = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    out = net(x_N, x_E)
    neutral, expressive = net.E.backbone((x_N - net.E.mean) / net.E.std), net.E.backbone((x_E - net.E.mean) / net.E.std)
    close = torch.testing.assert_close
    close(out.f_E_e, net.E.branch_e(expressive))
    close(out.f_E_s, net.E.branch_s(expressive))
    close(out.f_N_s, net.E.branch_s(neutral))
    close(out.reconstruction, net.D_r(torch.cat([net.E.branch_e(expressive), net.E.branch_s(neutral)], dim=1)))
    close(out.expression, net.D_e(net.E.branch_e(expressive)))
    close(out.expression, net.classify(x_E))


def test_discriminator_sees_a_shift_that_normalising_the_two_kinds_apart_would_hide():
    D = seeded(lambda: Discriminator(16)).train()
    f, shift, none = torch.rand(8, 16, 1, 1), 3 * torch.randn(16, 1, 1), torch.zeros(0, 16, 1, 1)
    torch.testing.assert_close(D(f, none)[0], D(none, f + shift)[1], rtol=0, atol=1e-5)
    real, fake = D(f, f + shift)
    assert (real.mean() - fake.mean()).abs() > 1e-3


def test_discriminators_logits_come_in_the_order_of_its_arguments():
    D = seeded(lambda: Discriminator(16)).eval()
    f_pos, f_anc = torch.rand(3, 16, 2, 2), torch.rand(5, 16, 2, 2)
    real, fake = D(f_pos, f_anc)
    torch.testing.assert_close(real, D.logit(D.convs(f_pos))[:, 0])
    torch.testing.assert_close(fake, D.logit(D.convs(f_anc))[:, 0])


def test_mtmnet_passes_each_kind_through_its_own_network():
    micro, macro = seeded(lambda: EIDNet(3, 4, width=8)), seeded(lambda: EIDNet(3, 9, width=8))
    net = MTMNet(micro, macro).eval()
    anc, pos, neg = torch.rand(3, 3, 3, 64, 64)
    guided = torch.tensor([True, False, True])
    out = net(anc, pos[guided], neg[guided], guided)
    close = torch.testing.assert_close
    close(out.f_anc, micro.E(anc[guided])[0])
    close(out.f_neg, micro.E(neg[guided])[0])
    close(out.f_pos, macro.E(pos[guided])[0])
    close(out.expression, micro.classify(anc))
    close(out.expression_pos, macro.classify(pos[guided]))
    everything = net(anc, pos, neg)
    assert everything.guided.all() and len(everything.f_anc) == 3


def test_e_is_shown_the_magnified_difference():
    plain, magnifying = (seeded(lambda by=by: EIDNet(3, 4, width=8, magnify=by)).double().eval() for by in (1.0, 5.0))
    values = torch.tensor([100, 101, 99, 160, 60]) / 255  # by hand: 100, 105, 95, 400 and −100, cut at 255 and 0
    x_E = values.double().view(5, 1, 1, 1).expand(5, 3, 32, 32)
    x_N, expected = torch.full_like(x_E, 100 / 255), torch.tensor([100, 105, 95, 255, 0], dtype=torch.double)
    seen = magnifying.shown(x_E, x_N)
    torch.testing.assert_close(255 * seen[:, 2, 31, 0], expected, rtol=0, atol=1e-4)
    close = torch.testing.assert_close
    close(magnifying.classify(x_E, x_N), plain.classify(seen))
    for found, wanted in zip(magnifying(x_N, x_E), plain(x_N, seen), strict=True):  # the target of Eq. (2) as well
        close(found, wanted)
    close(plain.classify(x_E, x_N), plain.classify(x_E))
    macro, neutral = seeded(lambda: EIDNet(3, 9, width=8)).double(), (x_N[:2], x_N[2:4])
    found, wanted = (
        MTMNet(net, macro).eval()(*images, x_N=neutral)
        for net, images in ((magnifying, (x_E[:2], x_E[:2], x_E[2:4])), (plain, (seen[:2], x_E[:2], seen[2:4])))
    )
    for name in "f_anc", "f_pos", "f_neg", "expression", "expression_pos":
        close(getattr(found, name), getattr(wanted, name))


def test_a_network_that_magnifies_asks_for_the_neutral_image():
    net, x = EIDNet(3, 4, width=8, magnify=5.0), torch.rand(2, 3, 32, 32)
    with pytest.raises(ValueError, match="magnifies the motion from x_N 5 times: give x_N, too"):
        net.classify(x)
    with pytest.raises(ValueError, match="give x_N, too"):
        MTMNet(net, EIDNet(3, 4, width=8))(x, x, x)
    with pytest.raises(ValueError, match="magnify=0: expected a positive factor"):
        EIDNet(3, 4, width=8, magnify=0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 3, 32, 32) * 255, r"images between .* and 25\d\.\d*: expected \[0, 1\]; divide bytes by 255"),
        (torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8), r"torch.uint8: expected floats"),
        (torch.rand(2, 3, 32, 32) - 0.5, "images between -0.4"),
        (torch.full((2, 3, 32, 32), torch.nan), "images between nan and nan"),
        (torch.rand(3, 32, 32), r"shape \(\d, 32, 32\), torch.float32: expected floats \(B, 3, H, W\)"),
        (torch.rand(2, 32, 32, 3), r"shape \(\d, 32, 32, 3\)"),
        (torch.rand(2, 3, 32, 40), "32×40: both sides must be multiples of 32"),
    ],
)
def test_other_images_are_refused(images, message):
    plain, magnifying = EIDNet(3, 4, width=8), EIDNet(3, 4, width=8, magnify=5.0)
    mtm = MTMNet(plain, EIDNet(3, 4, width=8))
    fine = torch.rand(2, 3, 32, 32)
    for call in (
        lambda: plain.E(images),
        lambda: plain.classify(images),
        lambda: plain(images, images),
        lambda: magnifying(images, images),
        lambda: magnifying.classify(images, images),
        lambda: mtm(images, images, images),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError):
        plain(fine, images)


def test_images_that_do_not_belong_together_are_refused():
    net, x = EIDNet(3, 4, width=8), torch.rand(4, 3, 32, 32)
    mtm = MTMNet(net, EIDNet(3, 4, width=8))
    guided = torch.tensor([True, True, False, False])
    for call in (
        lambda: net(x[:2], x),  # 6 images, cut into halves
        lambda: mtm(x, x[:2], x),
        lambda: mtm(x, x, x[:2]),
        lambda: mtm(x, x, x, guided),
        lambda: mtm(x, torch.rand(4, 3, 64, 64), x),
    ):
        with pytest.raises(ValueError, match="expected the same shape"):
            call()
    for mask in guided[:3], guided.long():
        with pytest.raises(ValueError, match=r"expected \(4,\), bool"):
            mtm(x, x[:2], x[:2], mask)


def test_two_networks_that_cannot_guide_each_other_are_refused():
    net = EIDNet(5, 4, width=8)
    half = EIDNet(5, 4, width=8)
    half.E = net.E
    for other, message in (
        (net, "share parameters"),
        (half, "share parameters"),
        (EIDNet(3, 4, width=8), "MicroNet has 5 classes, MacroNet 3"),
        (EIDNet(5, 4, width=4), "embeddings of 32 and 16 channels"),
        (EIDNet(5, 4, width=8, magnify=2.0), "MacroNet magnifies"),
    ):
        with pytest.raises(ValueError, match=message):
            MTMNet(net, other)
    assert all(p.requires_grad for p in net.parameters())


def test_a_batch_without_any_positive_passes():
    net = seeded(lambda: MTMNet(EIDNet(3, 4, width=8), EIDNet(3, 9, width=8)))
    none = torch.zeros(0, 3, 64, 64)
    out = net(torch.rand(2, 3, 64, 64), none, none, torch.zeros(2, dtype=torch.bool))
    assert len(out.f_anc) == len(out.f_pos) == 0 and out.expression.shape == (2, 3)


@pytest.mark.parametrize("name", ["EIDNet that magnifies", "Discriminator", "MTMNet"])  # a plain one: test_export.py
def test_an_exported_network_takes_batches_of_any_size(name):
    """Traced on a batch of 4, run on one of 7."""
    torch.manual_seed(0)
    networks = {
        "EIDNet that magnifies": (EIDNet(3, 4, width=8, magnify=3.0), (3, 64, 64), 2),
        "Discriminator": (Discriminator(32), (32, 2, 2), 2),
        "MTMNet": (MTMNet(EIDNet(3, 4, width=8), EIDNet(3, 5, width=8)), (3, 64, 64), 3),
    }
    net, shape, count = networks[name]
    four, seven = (tuple(torch.rand(count, B, *shape)) for B in (4, 7))
    B = torch.export.Dim("B", min=2, max=64)
    exported = torch.export.export(net.eval(), four, dynamic_shapes=({0: B},) * count).module()
    for given, expected in zip(exported(*seven), net(*seven), strict=True):
        torch.testing.assert_close(given, expected)


def test_an_exported_network_takes_any_guided_anchors():
    """Traced on 2 guided anchors of 4, run on 5 of 7, on all, and on none."""
    torch.manual_seed(0)
    net = MTMNet(EIDNet(3, 4, width=8), EIDNet(3, 5, width=8)).eval()

    def inputs(B, guided):
        mask = torch.zeros(B, dtype=torch.bool)
        mask[list(guided)] = True
        return torch.rand(B, 3, 32, 32), torch.rand(len(guided), 3, 32, 32), torch.rand(len(guided), 3, 32, 32), mask

    B, G = torch.export.Dim("B", max=64), torch.export.Dim("G", max=64)
    dims = ({0: B}, {0: G}, {0: G}, {0: B})
    exported = torch.export.export(net, inputs(4, [0, 2]), dynamic_shapes=(*dims,)).module()
    for given in (inputs(7, [0, 1, 3, 4, 6]), inputs(3, range(3))):
        for found, expected in zip(exported(*given), net(*given), strict=True):
            torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="expected the same shape"):
        net(*inputs(4, [0, 2])[:3], inputs(4, [0])[3])
