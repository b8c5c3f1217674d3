import itertools
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from skd_tstsan import ECA, SKD_TSTSAN, TSCNN, MotionMagnification, TemporalShift, skd_loss


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


def test_dropout_in_training_is_of_what_each_last_layer_sees():
    """A fifth of the features, the others 1 / .8 times as large."""
    torch.manual_seed(0)
    model, seen = SKD_TSTSAN(width=16), []
    for layer in (*model.AC_fc, model.fc):
        layer.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    _, features = model.train()(inputs(8))
    for given, f in zip(seen, features, strict=True):
        there = given != 0
        torch.testing.assert_close(given, f / 0.8 * there)
        assert 0.7 < there[f > 0].float().mean() < 0.9
    seen.clear()
    _, features = model.eval()(inputs(2), auxiliary=True)
    assert len(seen) == 3 and all(torch.equal(given, f) for given, f in zip(seen, features, strict=True))


def test_tscnn():
    model = TSCNN(6)
    assert count(model, torch.nn.BatchNorm2d) == 0 and model.dropout.p == 0
    assert model.streams["T"].conv1.conv.in_channels == 4
    logits, features = model(inputs())
    assert logits[0].shape == (2, 6) and features[0].shape == (2, 3 * 128 * 6 * 6)
    with pytest.raises(ValueError, match="TSCNN"):
        SKD_TSTSAN(modified=False)


def pooled(x, side, padding, how, outside):
    """Windows of `side`, two apart, with `outside` around the map."""
    x = F.pad(x, [padding] * 4, value=outside)
    return how(x.unfold(2, side, 2).unfold(3, side, 2).flatten(4))


@pytest.mark.parametrize("make", [TSCNN, partial(SKD_TSTSAN, mag=False, eca=False, tsm=False, skd=False)])
def test_plain_streams_are_their_layers(make):
    """TSCNN, and the baseline of Table 5 (Sec. 4.5.1: with batch norm, global average pooling last), in float64."""
    torch.manual_seed(0)
    model, x = make(5).double().eval(), inputs().double()
    state, baseline = model.state_dict(), make is not TSCNN
    for name, value in state.items():
        if "running" in name:
            value.copy_(torch.rand_like(value) + 0.5)
    features = []
    for stream, h in ("L", x[:, 2:18]), ("S", x[:, :1]), ("T", x[:, 34:]):
        for layer in range(1, 6):
            at = f"streams.{stream}.conv{layer}"
            h = F.conv2d(h, state[f"{at}.conv.weight"], state[f"{at}.conv.bias"], padding=int(layer > 1))
            if baseline:
                mean, var, gain, bias = (
                    state[f"{at}.bn.{name}"][:, None, None]
                    for name in ("running_mean", "running_var", "weight", "bias")
                )
                h = (h - mean) / (var + 1e-5).sqrt() * gain + bias
            h = h.clamp(min=0)
            if layer == 1:
                h = pooled(h, 5, 2, lambda windows: windows.max(4).values, -torch.inf)
            if layer == 3 or (layer == 5 and not baseline):
                h = pooled(h, 3, 1, lambda windows: windows.mean(4), 0)
        features.append(h.mean((2, 3)) if baseline else h.flatten(1))
    expected = F.linear(torch.cat(features, 1), state["fc.weight"], state["fc.bias"])
    torch.testing.assert_close(model(x).logits[-1], expected)


def test_an_input_of_another_shape():
    with pytest.raises(ValueError, match=r"\(2, 38, 64, 64\).*38"):
        SKD_TSTSAN()(torch.zeros(2, 38, 64, 64))


@pytest.mark.parametrize("make", [TSCNN, partial(SKD_TSTSAN, tsm=False)], ids=["TSCNN", "no TSM"])
def test_networks_can_be_exported_for_any_batch(make):
    """Beside the whole one, of which `test_export.py` is."""
    net = make(5, size=20, width=8).eval()
    x = torch.rand(3, 38, 20, 20)
    batch = torch.export.Dim("batch", max=1024)
    exported = torch.export.export(net, (x[:2],), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(x).logits, net(x).logits)
