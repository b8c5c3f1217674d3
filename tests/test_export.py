"""An exported network gives for any batch what the network gives, in onnxruntime and as a program of torch.export."""

import json
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from test_hub import NETWORKS, OTHERS

from shared.cli import main, papers
from shared.runs.weights import load_network, packed

INPUTS = {  # entry point of the hub: shapes of the inputs; its arguments are those of its own test
    "dvasp": {"x": [3, 32, 32]},
    "dvasp_teacher": {"x": [3, 32, 32]},
    "skd_tstsan": {"x": [38, 20, 20]},
    "ststnet": {"x": [3, 28, 28]},
    "capsulenet": {"x": [3, 144, 144]},
    "mmnet": {"onset": [3, 32, 32], "apex": [3, 32, 32]},
    "mtmnet": {"x_N": [3, 32, 32], "x_E": [3, 32, 32]},
    "sca_au": {"clips": [3, 4, 64, 64]},
    "ma2mi": {"I_t": [3, 32, 32], "I_td": [3, 32, 32]},
    "ma2mi_predictor": {"I_t": [3, 32, 32], "I_td": [3, 32, 32], "Z_t": [4, 4, 4]},
}
EXPECTED = {  # what a network's scores are, by its own output
    "dvasp": lambda net, x: net(x).fused.softmax(2)[..., 1],
    "dvasp_teacher": lambda net, x: net(x).views.mean(0).sigmoid(),
    "skd_tstsan": lambda net, x: net(x).logits[-1].softmax(1),
    "capsulenet": lambda net, x: net(x),
    "mtmnet": lambda net, x_N, x_E: net(x_N, x_E).expression.softmax(1),
    "sca_au": lambda net, clips: net(clips).sigmoid(),
    "ma2mi_predictor": lambda net, *x: net(*x),
}
ABOUT = {"labels": ["AU1", "AU2", "AU4"], "task": "none"}


@pytest.fixture
def weights(tmp_path):
    """Weights of a hub entry, as a run would leave them; its statistics and zeros made random."""

    def make(name, **changes):
        arguments, network, *_ = NETWORKS[name]
        torch.manual_seed(0)
        net = getattr(__import__(OTHERS.get(name, name)), network)(**arguments)
        state = {k: torch.rand_like(v) * 0.1 + v if v.is_floating_point() else v for k, v in net.state_dict().items()}
        about = {"package": OTHERS.get(name, name), "network": network, "arguments": arguments, **ABOUT}
        about |= {"input": {"shapes": INPUTS[name]}, **changes}
        about |= {"labels": []} if name == "ma2mi_predictor" else {}
        (path := tmp_path / "net.safetensors").write_bytes(packed(state, about))
        return path

    return make


@pytest.fixture
def export(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments=["export", *map(str, arguments)])
        return ended.value.code, *capsys.readouterr()

    return run


def batches(name, count):
    generator = torch.Generator().manual_seed(count)
    return {key: torch.rand(count, *shape, generator=generator) for key, shape in INPUTS[name].items()}


def scores(path, name, inputs):
    """As somebody's own program would compute them, from the network's plain output."""
    net = load_network(path)[0]
    expected = EXPECTED.get(name, lambda net, *x: net(*x).softmax(1))
    with torch.no_grad():
        return expected(net, *inputs.values()).numpy()


@pytest.mark.parametrize("name", papers())
def test_onnxruntime_gives_the_same_for_another_batch(name, weights, export, tmp_path):
    path = weights(name)
    code, said, errors = export(path.with_suffix(".json"), "--to", "onnx")  # as the record beside it
    assert code == 0 and "AU1, AU2, AU4" in said, errors
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["about"])["labels"] == ABOUT["labels"]
    for count in (1, 5):
        inputs = batches(name, count)
        (found,) = session.run(["scores"], {key: x.numpy() for key, x in inputs.items()})
        assert found.shape == (count, 3)
        np.testing.assert_allclose(found, scores(path, name, inputs), atol=1e-4)


@pytest.mark.parametrize("name", OTHERS)
def test_a_program_of_torch_gives_the_same_for_another_batch(name, weights, export, tmp_path):
    path = weights(name)
    code, _, errors = export(path, "--to", "torch-export", "--out", tmp_path / "new" / "net.pt2")
    assert code == 0, errors
    program = torch.export.load(tmp_path / "new" / "net.pt2", extra_files=(files := {"about": ""})).module()
    assert json.loads(files["about"])["input"]["shapes"] == INPUTS[name]
    for count in (1, 5):
        inputs = batches(name, count)
        with torch.no_grad():
            found = program(*inputs.values()).numpy()
        np.testing.assert_allclose(found, scores(path, name, inputs), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"input": {}}, [], "does not say the shapes of its input"),
        ({"labels": ["one", "two"]}, [], "gives 3 scores, and names 2 labels"),
        ({"network": "MTMNet"}, [], "does not hold a network that a run left"),
        ({"package": "mtmnet"}, [], "mtmnet exports no MIACNet"),
        ({}, ["--out", "net.onnx"], "expected a name that ends in .pt2"),
        ({}, ["--to", "tflite"], "invalid choice: 'tflite'"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(changes, given, message, weights, export, tmp_path):
    code, said, errors = export(weights("ma2mi", **changes), "--to", "torch-export", *given)
    assert code == 2 and not said and message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_weights_that_are_not_there_and_a_missing_exporter(weights, export, tmp_path, monkeypatch):
    code, _, errors = export(tmp_path, "--to", "torch-export")
    assert code == 2 and f"{tmp_path}/model.safetensors is not there" in errors
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name.startswith("onnxr") else name)
    code, _, errors = export(weights("ma2mi"), "--to", "onnx")
    assert code == 2 and f"--to onnx needs onnxruntime: {sys.executable} -m pip install onnxruntime" in errors


def test_a_network_that_exports_to_something_else_is_refused(weights, export, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "shared.export.torch_export", lambda *_: (b"", lambda inputs: torch.full((len(inputs[0]), 3), 0.5))
    )
    code, _, errors = export(path := weights("ma2mi"), "--to", "torch-export")
    assert code == 2 and f"differs from {path} by" in errors and len(list(tmp_path.iterdir())) == 1
