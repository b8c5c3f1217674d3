"""The released network and magnifier: their weights, by the loader, give their golden numbers."""

import io

import pytest
import torch
from oracles import golden, magnet, recipe, released_weights, worst

from skd_tstsan import SKD_TSTSAN, load_released, skd_loss
from skd_tstsan.losses import class_weights

GOLDEN = golden("skd_network")
OUTPUTS = [f"{head}{kind}" for kind in ("logits", "feature") for head in ("AC1_", "AC2_", "")]
X = torch.from_numpy(recipe.uniform(GOLDEN["seed"], 0, GOLDEN["x_shape"]))
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The released network's file, and its weights."""
    weights = released_weights(GOLDEN)
    assert sum(w.double().abs().sum().item() for w in weights.values()) == pytest.approx(GOLDEN["weights_abs_sum"])
    path = tmp_path_factory.mktemp("released") / "SKD-TSTSAN.pth"
    torch.save(weights, path)
    return path, weights


@pytest.mark.parametrize("dtype", TOLERANCE)
@torch.no_grad()
def test_outputs_at_inference(file, dtype):
    path, weights = file
    model, account = load_released(path)
    assert set(account) == set(weights) and set(account.values()) == set(model.state_dict())
    logits, features = model.to(dtype).eval()(X.to(dtype), auxiliary=True)
    for name, output in zip(OUTPUTS, (*logits, *features), strict=True):
        assert worst(output, GOLDEN[f"eval_{name}"]) < TOLERANCE[dtype], name
    (alone,), _ = model(X.to(dtype))
    torch.testing.assert_close(alone, logits[-1])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_step_of_training(file, dtype):
    """Outputs from the batch's statistics, Eqs. (7)-(10), each gradient's norm and the running statistics after it."""
    single = dtype == torch.float32
    model, account = load_released(file[0], SKD_TSTSAN(dropout=0.0))
    logits, features = model.to(dtype).train()(X.to(dtype))
    for name, output in zip(OUTPUTS, (*logits, *features), strict=True):
        assert worst(output, GOLDEN[f"train_{name}"]) < TOLERANCE[dtype], name
    alpha = class_weights(GOLDEN["counts"].tolist()).to(dtype)
    assert worst(alpha, GOLDEN["class_weights"]) < 1e-6
    alpha = torch.from_numpy(GOLDEN["class_weights"]).to(dtype)
    terms = skd_loss(logits, features, torch.from_numpy(GOLDEN["labels"]), alpha)
    expected = {
        "focal": GOLDEN["focal"],
        "focal auxiliary": 0.9 * (GOLDEN["focal_AC1"] + GOLDEN["focal_AC2"]),
        "kl": 0.1 * (GOLDEN["kl_AC1"] + GOLDEN["kl_AC2"]),
        "l2": 1e-6 * (GOLDEN["l2_AC1"] + GOLDEN["l2_AC2"]),
    }
    for name, term in terms.items():
        assert worst(term, expected[name]) < (1e-4 if single and name == "kl" else 1e-5 if single else 1e-9), name
    (total := sum(terms.values())).backward()
    assert worst(total, GOLDEN["total"]) < (1e-5 if single else 1e-9)
    own = dict(model.named_parameters())
    for name, norm in zip(GOLDEN["grad_names"], GOLDEN["grad_norms"], strict=True):
        if norm > 1e-6:  # of a bias in front of batch norm it is 0 in theory
            assert worst(own[account[name]].grad.norm(), norm) < (1e-2 if single else 1e-9), name
    state = model.state_dict()
    for name, norm in zip(GOLDEN["bn_names"], GOLDEN["bn_norms_after"], strict=True):
        assert worst(state[account[name]].norm(), norm) < TOLERANCE[dtype], name


@pytest.mark.parametrize(("channels", "stream"), [(1, "S"), (2, "T"), (16, "L")])
@torch.no_grad()
def test_the_magnifier(channels, stream, tmp_path):
    """Eq. (1) of a released encoder and manipulator, loaded as a file of both."""
    arrays = golden("skd_magnifier")
    parts = {p: released_weights(arrays, f"{p}{channels}_") for p in ("encoder", "manipulator")}
    torch.save({f"{p}.{key}": w for p, weights in parts.items() for key, w in weights.items()}, tmp_path / "mag.pth")
    magnify = load_released(tmp_path / "mag.pth")[0].double().streams[stream].magnify
    shape, i = (2, channels, arrays["x_size"], arrays["x_size"]), [1, 2, 16].index(channels)
    a, b = (torch.from_numpy(recipe.uniform(arrays["seed"], 2 * i + k, shape)).double() for k in (0, 1))
    measured = {"encoded_b": magnify.encoder(b), "magnified_amp2": magnify(a, b)}
    if channels == 2:
        measured["magnified_from_zeros"] = magnify(None, b)
        magnify.manipulator.alpha = 5.0
        measured["magnified_amp5"] = magnify(a, b)
    for name, output in measured.items():
        kind, _, rest = name.partition("_")
        assert worst(output, arrays[f"{kind}{channels}_{rest}"]) < 1e-6, name  # stored in float32


def test_the_file_of_the_magnifier(tmp_path):
    """Fifteen of its tensors fit, into every stream; the account names what stays random of a stream's magnifier."""
    arrays, weights = golden("skd_magnet_pth"), magnet()
    torch.save(weights, tmp_path / "magnet.pth")
    model, account = load_released(tmp_path / "magnet.pth")
    used = {key for key in weights if not account[key].startswith("not used")}
    assert used == set(arrays["raw_names"][arrays["fits"] != ""]) and len(used) == 15
    for key, fits in zip(arrays["raw_names"], arrays["fits"], strict=True):
        if fits:
            part = key.partition(".")[2].replace(".conv2d", "")
            places = [f"streams.{s}.magnify.{fits}.{part}" for s in "LST"]
            assert account[key] == ", ".join(places)
            assert all(torch.equal(model.get_parameter(place), weights[key]) for place in places)
    random = {f"streams.{s}.magnify.encoder.{key.replace('.conv2d', '')}" for s in "LST" for key in arrays["lacking"]}
    stayed = {name for name, what in account.items() if what.startswith("stays as it was")}
    assert {name for name in stayed if ".magnify." in name} == random
    assert {"fc.weight", "streams.S.conv1.conv.weight"} < stayed
    assert not stayed & set(weights) and set(account) == stayed | set(weights)


def test_transfer_keeps_the_last_layers(file, tmp_path):
    """As saved in data-parallel training, with another number of classes."""
    weights = {k: v[[0, 1, 2, 3, 4, 0, 1]] if "fc" in k else v for k, v in file[1].items()}
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "CK+.pth")
    assert load_released(tmp_path / "CK+.pth")[0].fc.out_features == 7
    model = SKD_TSTSAN(5)
    before = model.fc.weight.clone()
    same, account = load_released(tmp_path / "CK+.pth", model, transfer=True)
    assert same is model and torch.equal(model.fc.weight, before)
    assert torch.equal(model.streams["T"].conv4.conv.weight, weights["conv4_T.net.weight"])
    unused = {key for key, place in account.items() if place.startswith("not used")}
    assert unused == {f"{fc}.{part}" for fc in ("fc2", "AC1_fc", "AC2_fc") for part in ("weight", "bias")}
    stayed = {name for name, place in account.items() if place.startswith("stays as it was")}
    assert stayed == {name for name in model.state_dict() if "fc." in name}


def test_what_does_not_fit_is_all_listed(file, tmp_path):
    weights = {k: v for k, v in file[1].items() if k != "bn3_S.running_mean"}
    weights |= {"conv2_L.weight": torch.zeros(64, 64, 5, 5), "conv9_Q.weight": torch.zeros(1)}
    torch.save(weights, tmp_path / "odd.pth")
    with pytest.raises(ValueError) as error:
        load_released(tmp_path / "odd.pth")
    for part in ("odd.pth", "conv9_Q.weight", "conv2_L.weight", "(64, 64, 5, 5)", "streams.S.conv3.bn.running_mean"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        (dict(mag=False), "motion magnification"),
        (dict(tsm=False), "temporal shift"),
        (dict(mag=False, tsm=False), r"motion magnification \(mag=False\) and temporal shift"),
    ],
)
def test_models_without_a_part_name_it(changes, without, file, tmp_path):
    with pytest.raises(ValueError, match=f"SKD-TSTSAN.pth.*without {without}"):
        load_released(file[0], SKD_TSTSAN(**changes))
    torch.save(magnet(), tmp_path / "magnet.pth")
    if "mag" in changes:
        with pytest.raises(ValueError, match="magnet.pth holds a magnifier.*mag=False"):
            load_released(tmp_path / "magnet.pth", SKD_TSTSAN(**changes))
    for path, part in ((file[0], "magnifier"), (tmp_path / "magnet.pth", "network")):
        with pytest.raises(ValueError, match=f"{path.name} .*expected a {part}"):
            load_released(path, part=part)


def spoilt(how: str, weights: dict[str, torch.Tensor], content: bytes) -> bytes:
    """The bytes of a file that is not the released one."""
    written = {
        "a list": [1, 2, 3],
        "a tensor": torch.zeros(3),
        "no tensors": {"state_dict": {"fc2.weight": 3}},
        "another network": {"something": torch.zeros(1)},
        "fc2 alone": {"fc2.weight": torch.zeros(())},
        "NaN": weights | {"conv1_S.bias": torch.full((64,), float("nan"))},
    }
    if how in written:
        torch.save(written[how], buffer := io.BytesIO())
        return buffer.getvalue()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {
        "text": b"version https://git-lfs.github.com/spec/v1\n",
        "a page": b"<!DOCTYPE html>",
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "a flipped byte": bytes(flipped),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "text",
        "a page",
        "empty",
        "truncated",
        "a flipped byte",
        "a list",
        "a tensor",
        "no tensors",
        "another network",
        "fc2 alone",
        "NaN",
    ],
)
def test_files_that_are_not_the_released_one(how, file, tmp_path):
    """One kind of error, which names the file and what to do; the model stays as it was."""
    path, model = tmp_path / "net.pth", SKD_TSTSAN(width=8)
    path.write_bytes(spoilt(how, file[1], file[0].read_bytes()))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="net.pth") as refused:
        load_released(path, model)
    assert "the authors' repository" in str(refused.value) or how == "fc2 alone"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
