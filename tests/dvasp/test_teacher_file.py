"""A teacher from a file: the public checkpoint of co-training, or what a run has left."""

from dataclasses import replace

import pytest
import torch
from torchvision.models import resnet34

from dvasp import Teacher, read_teacher
from dvasp.config import Config
from dvasp.experiments import PAPER
from dvasp.train import trained_teacher
from shared.errors import UserError
from shared.runs.weights import packed

CONFIG = Config(teacher="teacher.pth.tar")
X = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
MEAN, STD = (torch.tensor(v)[:, None, None] for v in ((0.5355, 0.4249, 0.3801), (0.2832, 0.2578, 0.2548)))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """(folder, the two ResNet-34): a checkpoint in the layout of co-training's, with what else one holds."""
    torch.manual_seed(0)
    nets = [resnet34(weights=None).eval() for _ in range(2)]
    state = {f"module.net{i}.{k}": v for i, net in enumerate(nets, 1) for k, v in net.state_dict().items()}
    state = {k: v for k, v in state.items() if ".fc." not in k and "num_batches_tracked" not in k}  # as old as that
    state |= {
        f"module.fc{i}.{k}": torch.zeros(12, 512)[:, 0 if k == "bias" else slice(None)]
        for i in (1, 2)
        for k in ("weight", "bias")
    }
    folder = tmp_path_factory.mktemp("weights")
    torch.save({"epoch": 30, "arch": "resnet34", "best": 0.5, "state_dict": state}, folder / "teacher.pth.tar")
    return folder, nets


def stages(net, x):
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        x = layer(x)
        yield x


@torch.no_grad()
@pytest.mark.parametrize(("follow", "seen"), [("paper", (X - MEAN) / STD), ("release", X)])
def test_the_public_checkpoint_is_a_teacher(published, follow, seen):
    """Under follow="release" it sees images without normalisation."""
    folder, nets = published
    teacher = trained_teacher(replace(CONFIG, follow=follow), folder, None).eval()
    for features, net in zip(teacher(X).features, nets, strict=True):
        torch.testing.assert_close(features[1:], list(stages(net, seen)))


@torch.no_grad()
def test_a_row_of_one_view_takes_the_first(published):
    folder, (first, _) = published
    config = replace(CONFIG, views=1)
    teacher = trained_teacher(config, folder, None).eval()
    (features,) = teacher(X).features
    torch.testing.assert_close(features[-1], list(stages(first, (X - MEAN) / STD))[-1])
    assert "its first view alone (net1, or trunks.0)" in PAPER.remarks(config)[0]
    assert "first view" not in PAPER.remarks(CONFIG)[0]


def test_no_emotionet_is_needed(published):
    for row in (row for table in PAPER.tables for row in table.rows if not row.records):
        config = replace(CONFIG, **row.changes)
        assert PAPER.pretraining(config, None) is None
        (line,) = PAPER.remarks(config)
        assert ("teacher.pth.tar" in line) == (config.method != "none")
        assert ("resnet34" in line) == (config.depth == 34 and config.method != "fine-tune")


@torch.no_grad()
def test_what_a_run_has_left_is_a_teacher_whole(tmp_path):
    torch.manual_seed(0)
    mine = Teacher(12, depth=18, width=4).eval()
    (tmp_path / "weights.safetensors").write_bytes(packed(mine.state_dict()))
    for name in ("weights.safetensors", str(tmp_path / "weights.safetensors")):
        config = Config(teacher=name, width=4, teacher_depth=18)
        teacher = trained_teacher(config, tmp_path, None).eval()
        assert torch.equal(teacher(X).fused, mine(X).fused)
    single = read_teacher(Teacher(5, depth=18, width=4, views=1).state_dict(), views=1)
    assert single(X).views.shape == (1, 2, 5)


def test_dvft_and_fit_refuse_a_teacher_of_another_width(published):
    folder, _ = published
    for changes, fits in (({"method": "Fit"}, False), ({"method": "fine-tune", "depth": 34}, False), ({}, True)):
        config = replace(CONFIG, width=16, **changes)
        if fits:
            trained_teacher(config, folder, None)
            continue
        with pytest.raises(UserError, match="holds a ResNet-34 of width 64; .* --set width=64"):
            trained_teacher(config, folder, None)
    with pytest.raises(UserError, match="fine-tune needs"):
        trained_teacher(replace(CONFIG, method="fine-tune", depth=18), folder, None)


def others():
    """Contents that are no teacher of two views: (what, content, what is said)."""
    torch.manual_seed(0)
    whole = Teacher(12, depth=18, width=4).state_dict()
    nan = torch.full_like(whole["trunks.1.conv1.weight"], torch.nan)
    return {
        "one view": ({k: v for k, v in whole.items() if "s.1" not in k}, "no net2.conv1.weight and no trunks.1"),
        "without a layer": ({k: v for k, v in whole.items() if "0.bn1.bias" not in k}, "no trunks.0.bn1.bias"),
        "other width": (whole | {"trunks.1.bn1.weight": torch.ones(8)}, r"bn1.weight \(8,\): expected \(4,\)"),
        "NaN": (whole | {"trunks.1.conv1.weight": nan}, "finite numbers: trunks.1.conv1.weight"),
        "another network": ({"fc.weight": torch.ones(2)}, "in 1 tensors fc.weight"),
        "a list": ([torch.ones(2)], "in 0 tensors"),
        "a tensor": (torch.ones(2), "in 0 tensors"),
    }


@pytest.mark.parametrize(("content", "said"), others().values(), ids=others())
def test_files_without_a_teacher_say_what_is_missing(content, said, tmp_path):
    torch.save(content, tmp_path / "teacher.pth.tar")
    with pytest.raises(UserError, match=f"teacher.pth.tar does not hold a teacher(.|\n)*{said}(.|\n)*--set teacher"):
        trained_teacher(CONFIG, tmp_path, None)


SPOILT = {
    "text": lambda content: b"no weights",
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "changed": lambda b: b[: len(b) // 2] + bytes([b[len(b) // 2] ^ 255]) + b[len(b) // 2 + 1 :],
}


@pytest.mark.parametrize(
    ("name", "how"),
    [*(("teacher.pth", how) for how in SPOILT), *(("teacher.safetensors", how) for how in ("text", "empty", "cut"))],
)
def test_spoilt_files_are_named_with_the_remedy(name, how, tmp_path):
    path, state = tmp_path / name, Teacher(12, depth=18, width=4).state_dict()
    path.write_bytes(packed(state)) if path.suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(SPOILT[how](path.read_bytes()))
    with pytest.raises(UserError, match=f"{name} .*(.|\n)*--set teacher"):
        trained_teacher(replace(CONFIG, teacher=name), tmp_path, None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="tar is not there: a teacher of 2 view(.|\n)*--weights names the folder"):
        trained_teacher(CONFIG, tmp_path, None)
