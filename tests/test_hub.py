"""torch.hub finds the network of every paper: with arguments, and as a run has left it."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from shared.cli import papers
from shared.errors import UserError
from shared.runs.weights import packed

ROOT = Path(__file__).parents[1]
NETWORKS = {  # entry point: arguments, a class of that name, inputs, shape of what it says
    "dvasp": (dict(N=3, width=8), "DualView", [(2, 3, 32, 32)], (2, 3, 2)),
    "dvasp_teacher": (dict(C=3, depth=18, width=8), "Teacher", [(2, 3, 32, 32)], (2, 3)),
    "ma2mi_predictor": (
        dict(miacnet=dict(width=8, dim=12), dit=dict(size=4, dim=12, depth=1, heads=3, condition=12)),
        "FramePredictor",
        [(2, 3, 32, 32), (2, 3, 32, 32), (2, 4, 4, 4)],
        (2, 4, 4, 4),
    ),
    "skd_tstsan": (dict(classes=3, size=20, width=8), "SKD_TSTSAN", [(2, 38, 20, 20)], (2, 3)),
    "ststnet": (dict(classes=3), "STSTNet", [(2, 3, 28, 28)], (2, 3)),
    "capsulenet": (dict(classes=3, size=144, width=8), "CapsuleNet", [(2, 3, 144, 144)], (2, 3)),
    "mmnet": (dict(classes=3, size=32, width=8), "MMNet", [(2, 3, 32, 32)] * 2, (2, 3)),
    "mtmnet": (dict(classes=3, subjects=4, width=8), "EIDNet", [(2, 3, 32, 32)] * 2, (2, 3)),
    "sca_au": (dict(M=3, size=64, width=8, reduced=8), "SCANetwork", [(2, 3, 4, 64, 64)], (2, 3)),
    "ma2mi": (dict(classes=3, width=8, dim=12), "MIACNet", [(2, 3, 32, 32)] * 2, (2, 3)),
}
OTHERS = dict.fromkeys(("ststnet", "capsulenet", "mmnet"), "skd_tstsan")  # entry points of another name: package
OTHERS |= {"dvasp_teacher": "dvasp", "ma2mi_predictor": "ma2mi"}
SIZED = {  # networks that know the side of their images, and inputs of another one
    "dvasp": (dict(N=3, width=8, size=32), [(2, 3, 40, 40)]),
    "dvasp_teacher": (dict(C=3, depth=18, width=8, size=32), [(2, 3, 40, 40)]),
    "skd_tstsan": (dict(classes=3, size=20, width=8), [(2, 38, 24, 24)]),
    "mtmnet": (dict(classes=3, subjects=4, width=8, size=32), [(2, 3, 64, 64)] * 2),
    "sca_au": (dict(M=3, size=60, width=8, attention=None), [(2, 3, 4, 64, 64)]),
    "ma2mi": (dict(classes=3, width=8, dim=12, size=64), [(2, 3, 32, 32)] * 2),
}


def said(output):
    for name in ("fused", "expression", "logits"):
        output = getattr(output, name, output)
    return output[-1] if isinstance(output, tuple) else output


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_come_from_the_hub(name, tmp_path):
    arguments, network, inputs, shape = NETWORKS[name]
    torch.manual_seed(0)
    net = torch.hub.load(str(ROOT), name, source="local", **arguments).eval()
    x = [torch.rand(size) for size in inputs]
    assert type(net).__name__ == network and said(net(*x)).shape == shape

    package = OTHERS.get(name, name)
    about = {"package": package, "network": network, "arguments": arguments}
    (path := tmp_path / "net.safetensors").write_bytes(packed(net.state_dict(), about))
    same = torch.hub.load(str(ROOT), name, source="local", weights=str(path))
    assert not same.training and torch.equal(said(same(*x)), said(net(*x)))
    with pytest.raises(TypeError, match="leave width out"):
        torch.hub.load(str(ROOT), name, source="local", weights=str(path), width=8)
    assert same.about == about
    other = next(n for n in papers() if n != package)
    with pytest.raises(UserError, match=f"holds a network of {package}, not of {other}"):
        torch.hub.load(str(ROOT), other, source="local", weights=str(path))
    if name in OTHERS:
        with pytest.raises(TypeError, match=f"holds a {network}, not a {NETWORKS[package][1]}"):
            torch.hub.load(str(ROOT), package, source="local", weights=str(path))


@pytest.mark.parametrize("name", SIZED)
def test_a_network_refuses_images_of_another_size_than_it_learned_from(name):
    arguments, inputs = SIZED[name]
    net = torch.hub.load(str(ROOT), name, source="local", **arguments).eval()
    with pytest.raises(ValueError, match=r"this network (learned from|is made for)|expected .* for 2 temporal domains"):
        net(*(torch.rand(size) for size in inputs))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "ststnet"])  # which takes 0..255
def test_a_network_refuses_bytes(name):
    arguments, _, inputs, _ = NETWORKS[name]
    net = torch.hub.load(str(ROOT), name, source="local", **arguments).eval()
    with pytest.raises(ValueError, match=r"in \[0, 1\]|expected .*\[-?[01], 1\]"):
        net(*(255 * torch.rand(size) for size in inputs))


def test_every_paper_has_an_entry_with_help():
    module = import_module("hubconf")
    listed = {name for name, entry in vars(module).items() if callable(entry) and not name.startswith("_")}
    assert listed == {*papers(), *OTHERS} == set(NETWORKS)
    for name, (_, network, _, _) in NETWORKS.items():
        assert getattr(module, name).__doc__.startswith(f"{network}: ")


def test_the_hub_needs_what_it_names():
    """Of all that this project requires, the packages that it names alone are loaded, with weights or without."""
    code = (
        "import torch, sys; torch.hub.load(sys.argv[1], 'ma2mi', source='local', classes=2, width=8, dim=8);"
        "sys.path.insert(0, sys.argv[1]); import shared.runs.weights;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {line.partition("==")[0] for line in lines if "==" in line}
    assert required & set(done.stdout.split()) == set(import_module("hubconf").dependencies)
