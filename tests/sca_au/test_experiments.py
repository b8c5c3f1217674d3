"""Every row runs, at a step or two; the networks of the paper's scale can be built."""

import dataclasses
import json

import pytest
import torch
from tiny import trained

from sca_au import Res3D
from sca_au.experiments import ABLATION, METHODS, PAPER
from sca_au.train import ZOO, network, start

TINY = [f"--set={change}" for change in (
    "width=4", "reduced=8", "size=40", "resize=60", "tim=10", "frames=4", "epochs=2", "batch=4",
)]  # fmt: skip


def test_every_row_runs(toy, corpus, tmp_path):
    tables = [f"table{n}{metric}" for n in (1, 4) for metric in ("", "-macro", "-accuracy")]
    code, said, errors = toy(
        *tables, "figure5", "--scale", "smoke", "--data", corpus, "--out", tmp_path, *TINY, paper=PAPER, page=True
    )
    assert code == 0, errors
    assert "weights: random, not those of Kinetics and UCF-101" in said and "first frame is subtracted" in said
    cells = [line for line in said.splitlines() if "4 of 4 folds" in line]
    assert len(cells) == 3 * 9 * (10 + 7) + 6
    folder = tmp_path / "sca_au" / "smoke" / "casme2-au8"
    assert len(list(folder.iterdir())) == 10 + 5  # Baseline and Baseline + SCA_Learn are rows of Table 1
    record = json.loads(next((folder / "default" / "seed-0").glob("*.json")).read_text())
    assert record["figures"]["parameters"] == sum(p.numel() for p in network(tiny(), 8)().parameters())
    assert record["times"]["step"] > 0
    page = (tmp_path / "sca_au" / "smoke" / "index.html").read_text()
    for title in ("Figure 1", "Figure 5", "Figure 6", "Figure 7", "Section 4.4"):
        assert f"<b>{title}" in page


def tiny(**changes):
    return PAPER.base("smoke", dict(change.removeprefix("--set=").split("=") for change in TINY) | changes)


@pytest.mark.parametrize("row", METHODS[4:] + ABLATION, ids=lambda row: row.name)
def test_networks_of_the_paper_s_scale_can_be_built(row, tmp_path):
    config = PAPER.config(**row.changes, backbone="random")
    with torch.device("meta"):
        net = network(config, 8)()
        clips = torch.empty(2, 3, config.frames, config.size, config.size)
    assert net(clips).shape == (2, 8)


def test_the_zoo_s_weights_are_taken_or_asked_for(toy, corpus, tmp_path):
    row = ["table1/Res3D18", "--data", corpus, "--out", tmp_path / "out", "--weights", tmp_path, *TINY]
    code, _, errors = toy(*row, paper=PAPER)
    path = tmp_path / ZOO.format(depth=18)
    assert code == 2 and f"{path} is not there: the 2018 model zoo" in errors and "--set backbone=random" in errors

    torch.save({"state_dict": Res3D(18, width=8).state_dict()}, path)
    code, _, errors = toy(*row, paper=PAPER)
    assert code == 2 and f"{path} does not hold the 2018 model zoo's Res3D18" in errors

    zoo = Res3D(18, width=4)
    torch.save({"state_dict": {f"module.{k}": v for k, v in zoo.state_dict().items()}}, path)
    start(net := network(tiny(), 8)(), dataclasses.replace(tiny(), backbone="zoo"), tmp_path)
    assert torch.equal(net.backbone.layer4[1].conv2.weight, zoo.layer4[1].conv2.weight)
    code, said, errors = toy(*row, paper=PAPER)
    assert code == 0 and "weights: those of Kinetics and UCF-101 (resnet-18-kinetics-ucf101_split1.pth" in said, errors


def test_the_gradient_is_cut_where_it_is_asked_for(faces, tmp_path, monkeypatch):
    norms, plain = [], torch.optim.SGD.step

    def step(sgd, *_):
        norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in sgd.param_groups[0]["params"]])))
        return plain(sgd)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    for clip in (0.0, 0.5):
        norms.clear()
        trained("sca_au", faces, tmp_path, f"clip={clip}")
        assert max(norms) > 0.5 if clip == 0 else max(norms) == pytest.approx(0.5, rel=1e-3)
    assert any("cut at 0.5" in line for line in PAPER.remarks(tiny(clip="0.5"))) and PAPER.config().clip == 0
