import itertools

import pytest
import torch

from skd_tstsan import ECA, SKD_TSTSAN, TSCNN, MotionMagnification, TemporalShift, load_released, skd_loss

from . import released


def inputs(B=2, domains=2, seed=0):
    return torch.rand(B, 34 + 2 * domains, 48, 48, generator=torch.Generator().manual_seed(seed))


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


def test_parameters():
    assert parameters(SKD_TSTSAN()) == 2_946_214
    assert parameters(SKD_TSTSAN(skd=False)) == 1_610_632
    assert len(SKD_TSTSAN().state_dict()) == 255
    smaller_g = 3 * 32 * 32 * (7 * 7 - 3 * 3)
    assert parameters(SKD_TSTSAN(follow="paper")) == 2_946_214 - smaller_g


@torch.no_grad()
def test_the_released_network(tmp_path):
    weights = released.draw(classes=4)
    torch.save(weights, tmp_path / "CK+.pth")
    model, account = load_released(tmp_path / "CK+.pth")
    assert set(account) == set(weights) and set(account.values()) == set(model.state_dict())
    x = inputs(3).double()
    logits, features = model.double().eval()(x, auxiliary=True)
    expected_logits, expected_features = released.classify(weights, x)
    for got, expected in zip((*logits, *features), (*expected_logits, *expected_features), strict=True):
        torch.testing.assert_close(got, expected)
    alone = model(x)
    assert len(alone.logits) == 1
    torch.testing.assert_close(alone.logits[0], expected_logits[2])


def test_transfer_keeps_the_last_layers(tmp_path):
    weights = released.draw(classes=7)
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "CK+.pth")
    model = SKD_TSTSAN(5)
    before = model.fc.weight.clone()
    same, account = load_released(tmp_path / "CK+.pth", model, transfer=True)
    assert same is model and torch.equal(model.fc.weight, before)
    assert torch.equal(model.streams["T"].conv4.conv.weight, weights["conv4_T.net.weight"])
    unused = {key for key, place in account.items() if place.startswith("not used")}
    assert unused == {f"{fc}.{part}" for fc in ("fc2", "AC1_fc", "AC2_fc") for part in ("weight", "bias")}


def test_what_does_not_fit_is_all_listed(tmp_path):
    weights = released.draw(classes=5)
    del weights["bn3_S.running_mean"]
    weights |= {"conv2_L.weight": torch.zeros(64, 64, 5, 5), "conv9_Q.weight": torch.zeros(1)}
    torch.save(weights, tmp_path / "odd.pth")
    with pytest.raises(ValueError) as error:
        load_released(tmp_path / "odd.pth")
    for part in ("odd.pth", "conv9_Q.weight", "conv2_L.weight", "(64, 64, 5, 5)", "streams.S.conv3.bn.running_mean"):
        assert part in str(error.value)
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other.pth.*something"):
        load_released(tmp_path / "other.pth")


def test_the_magnifier_goes_into_every_stream(tmp_path):
    encoder, manipulator = released.magnifier_shapes(channels=3)
    del encoder["motion_cba"]
    shapes = {f"encoder.{key}": shape for key, shape in encoder.items()}
    shapes |= {f"manipulator.{key}": shape for key, shape in manipulator.items()}
    shapes |= {"encoder.texture_resblks.0.cba_1": (32, 32, 3, 3), "decoder.cba_1": (32, 64, 3, 3)}
    weights = {f"{key}.conv2d.weight": torch.randn(*shape) for key, shape in shapes.items()}
    torch.save(weights, tmp_path / "magnet.pth")
    model = SKD_TSTSAN()
    first = model.streams["S"].magnify.encoder.cba_1.weight.clone()
    _, account = load_released(tmp_path / "magnet.pth", model)
    assert set(account) == set(weights)
    assert {key for key, place in account.items() if place.startswith("not used")} == {
        f"{key}.conv2d.weight" for key in ("encoder.cba_1", "encoder.texture_resblks.0.cba_1", "decoder.cba_1")}
    for s in "SLT":
        magnify = model.streams[s].magnify
        assert torch.equal(magnify.manipulator.g.weight, weights["manipulator.g.conv2d.weight"])
        assert torch.equal(magnify.encoder.motion_resblks[1].cba_2.weight,
                           weights["encoder.motion_resblks.1.cba_2.conv2d.weight"])
    assert torch.equal(model.streams["S"].magnify.encoder.cba_1.weight, first)
    with pytest.raises(ValueError, match="mag=False"):
        load_released(tmp_path / "magnet.pth", SKD_TSTSAN(mag=False))


@pytest.mark.parametrize("mag, eca, tsm, skd", itertools.product([False, True], repeat=4))
def test_a_switch_removes_its_part(mag, eca, tsm, skd):
    model = SKD_TSTSAN(3, mag=mag, eca=eca, tsm=tsm, skd=skd).train()
    layers = 9 if skd else 5
    assert count(model, MotionMagnification) == 3 * mag
    assert count(model, ECA) == layers * eca
    assert count(model, TemporalShift) == (layers - 1) * tsm
    logits, features = model(inputs())
    assert len(logits) == len(features) == (3 if skd else 1)
    sum(skd_loss(logits, features, torch.tensor([0, 2])).values()).backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("domains", [5, 10])
def test_temporal_domains(domains):
    """Table 6: as many segments as domains, and no more parameters."""
    model = SKD_TSTSAN(domains=domains).eval()
    assert parameters(model) == parameters(SKD_TSTSAN())
    assert {m.segments for m in model.modules() if isinstance(m, TemporalShift)} == {domains}
    x = inputs(domains=domains)
    assert model(x).logits[-1].shape == (2, 5)
    with pytest.raises(ValueError, match=str(34 + 2 * domains)):
        model(inputs())


def test_shift_carries_a_flow_to_its_neighbour_only():
    """Five layers with a shift before conv2...conv5: a change of one domain's flow reaches the average over domains."""
    model = SKD_TSTSAN(domains=5).double().eval()
    stream, b = model.streams["T"], torch.rand(5, 2, 48, 48, dtype=torch.float64)
    x = stream.conv1(stream.magnify(None, b))
    changed = x.clone()
    changed[0] += 1
    difference = (stream.conv2(changed) - stream.conv2(x)).abs().amax((1, 2, 3))
    assert (difference[:2] > 0).all() and (difference[2:] == 0).all()


def test_features_are_not_negative():
    """What the released loss's mask rests on: where neither feature is positive both are zero."""
    assert all((f >= 0).all() for f in SKD_TSTSAN().train()(inputs(4)).features)


def test_tscnn():
    model = TSCNN(6)
    assert count(model, torch.nn.BatchNorm2d) == 0 and model.dropout.p == 0
    assert model.streams["T"].conv1.conv.in_channels == 4
    logits, features = model(inputs())
    assert logits[0].shape == (2, 6) and features[0].shape == (2, 3 * 128 * 6 * 6)
    with pytest.raises(ValueError, match="TSCNN"):
        SKD_TSTSAN(modified=False)


def test_an_input_of_another_shape():
    with pytest.raises(ValueError, match=r"38.*\(2, 38, 64, 64\)"):
        SKD_TSTSAN()(torch.zeros(2, 38, 64, 64))
