"""Published weights are read as tensors alone: a file that holds more is refused, and nothing in it is executed."""

import importlib
import pickle
from pathlib import Path

import pytest
import torch
from oracles import magnet
from tiny import pretraining_of
from torchvision.models import resnet18

from shared.errors import UserError
from shared.runs.engine import given_to_pretrain
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining
from shared.runs.weights import load_network, load_zip, packed

FILES = {  # package: a setting that asks for published weights, and their file
    "dvasp": (dict(start="imagenet"), "resnet18-f37072fd.pth"),
    "skd_tstsan": (dict(start="released.pth"), "released.pth"),
    "mtmnet": (dict(start="resnet18-f37072fd.pth"), "resnet18-f37072fd.pth"),
    "ma2mi": (dict(start="resnet18-f37072fd.pth"), "resnet18-f37072fd.pth"),
    "sca_au": (dict(start="zoo"), "resnet-18-kinetics-ucf101_split1.pth"),
}


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def start(package: str, folder: Path) -> Path:
    """Ask for the weights in `folder`; returns the path of their file."""
    settings, file = FILES[package]
    train = importlib.import_module(f"{package}.train")
    config = importlib.import_module(f"{package}.experiments").Config(width=8, **settings)
    net = train.network(config, 5, *([6] if package == "mtmnet" else []))()
    train.start(net, config, folder)
    return folder / file


@pytest.mark.parametrize("package", FILES)
@pytest.mark.parametrize("how", ["pickle", "torch.save", "cut off", "other tensors", "no tensors"])
def test_files_that_are_not_the_weights(package, how, tmp_path):
    path = tmp_path / FILES[package][1]
    hostile = {"state_dict": Hostile(tmp_path / "executed")}
    if how == "pickle":
        path.write_bytes(pickle.dumps(hostile, protocol=2))
    elif how == "torch.save":
        torch.save(hostile, path)
    elif how == "cut off":
        torch.save({"conv1.weight": torch.zeros(9)}, path)
        path.write_bytes(path.read_bytes()[:100])
    else:
        torch.save({"conv1.weight": torch.zeros(9)} if how == "other tensors" else [1, 2, 3], path)
    with pytest.raises(UserError) as refused:
        start(package, tmp_path)
    assert str(path.parent) in str(refused.value) and "--weights names the folder; --set" in str(refused.value)
    assert not (tmp_path / "executed").exists()
    if how in ("pickle", "torch.save"):
        assert "nothing in it was executed" in str(refused.value)
        pickle.loads(pickle.dumps(hostile))
        assert (tmp_path / "executed").exists()  # it is as hostile as it should be


class Unmoved(Pretraining):
    """A pre-training of no steps."""

    def batches(self, **_):
        self.history = [{}]
        return iter(())


@pytest.mark.parametrize(
    ("package", "made", "changes", "used", "parts"),
    [
        ("dvasp", resnet18, "start=imagenet teacher_depth=18", 20, 2),  # a trunk for each view
        ("mtmnet", resnet18, "start=resnet18-f37072fd.pth", 20, 1),
        ("ma2mi", resnet18, "start=resnet18-f37072fd.pth", 20, 2),  # an encoder for position and one for action
        ("skd_tstsan", magnet, "magnifier=magnet.pth", 15, 3),  # a magnifier in each stream
    ],
)
def test_pretrainings_start_from_published_weights(package, made, changes, used, parts, with_macro, tmp_path):
    """Each kernel of the file that the network has a place for is there, as often as it has such parts."""
    names = {resnet18: "resnet18-f37072fd.pth", magnet: "magnet.pth"}
    file = made() if made is magnet else made().state_dict()
    (folder := tmp_path / "weights").mkdir()
    torch.save(file, folder / names[made])
    stage = pretraining_of(package, with_macro, tmp_path / "out", "width=64", *changes.split())
    given = given_to_pretrain(stage, Alone(torch.device("cpu")), 0) | {"weights_dir": folder}
    weights = stage.paper.pretrain(Unmoved(**given, folder=tmp_path))
    found = [sum(torch.equal(own, kernel) for own in weights.values()) for kernel in file.values() if kernel.ndim == 4]
    assert set(found) <= {0, parts} and sum(found) == parts * used


def test_the_autoencoder_is_no_pickle(tmp_path):
    from ma2mi.config import Config
    from ma2mi.train import autoencoder

    for content in (pickle.dumps(Hostile(tmp_path / "executed")), b""):
        (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(content)
        with pytest.raises(UserError, match="--set autoencoder=random or =pool runs without it"):
            autoencoder(Config(), tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(("package", "name"), [("os", "mkdir"), ("ma2mi", "torch.os.mkdir"), ("ma2mi.model", "torch")])
def test_a_header_makes_nothing_but_what_its_package_exports(package, name, tmp_path):
    about = {"package": package, "network": name, "arguments": {"path": str(tmp_path / "executed")}}
    (path := tmp_path / "net.safetensors").write_bytes(packed({"w": torch.zeros(1)}, about))
    with pytest.raises(UserError, match=str(path)):
        load_network(path, "ma2mi")
    assert not (tmp_path / "executed").exists()


def test_no_byte_of_a_file_of_torch_save_changes_unseen(tmp_path):
    """Each may: what is read is refused, or the same. Zip keeps no checksum of what pads its entries."""
    state, path = (
        {"w": torch.arange(5.0), "b": torch.zeros(2, 2), "start": [2, 0], "settings": {"a": "x"}},
        tmp_path / "f",
    )
    torch.save(state, path)
    content, refused = path.read_bytes(), 0
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :])
        try:
            assert str(load_zip(path)) == str(state)
        except (ValueError, RuntimeError, OSError):
            refused += 1
    assert refused > len(content) / 2
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="not a whole file of torch.save"):
            load_zip(path)
