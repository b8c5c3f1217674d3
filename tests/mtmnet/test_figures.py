"""Figures and their captions give each number its own name."""

from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from mtmnet import figures
from mtmnet.config import Config
from mtmnet.data import ImagePairs
from mtmnet.train import Left
from shared.report.cells import Cell
from shared.report.results import Result
from shared.runs.paper import Column, Row, Table


def test_bars_end_where_their_intervals_do():
    ends = {"one": (0.2, 0.6), "two": (0.45, 0.9)}
    cells = [Cell(row, "UF1", measured=0.5, low=a, high=b, rule="last") for row, (a, b) in ends.items()]
    table = Table("t", "", (Column("UF1", "casme2-5", "uf1"),), tuple(map(Row, ends)))
    (axis,) = figures.ablation(Result(table, tuple(cells), ())).plot.axes
    bars = [bar.errorbar[2][0].get_segments()[0] for bar in axis.containers if hasattr(bar, "errorbar")]
    assert [bar[:, 0].tolist() for bar in bars] == [pytest.approx(each) for each in ends.values()]


def test_the_caption_tells_reconstructions_from_neutral_faces_and_people_unseen_from_seen(tmp_path):
    """Means over two folds."""
    folds = [Left([], {}, {"test": 20 + i, "train": 40 + i}, {"test": 10 + i, "train": 30 + i}, []) for i in (0.0, 2.0)]
    for part in ("test", "train"):
        Image.new("RGB", (12, 4)).save(tmp_path / f"fold.reconstruction-{part}.png")
    run = SimpleNamespace(
        config=Config(),
        folds=[0],
        record_path=lambda fold: tmp_path / "fold.json",
        records=lambda: [{"figures": asdict(left)} for left in folds],
    )
    (figure,) = figures.reconstructions(run)
    said = (
        "never saw: 21.0 dB to the expression image, to which the neutral image has 11.0 dB; people it was trained on"
    )
    assert f"{said}: 41.0 dB to the expression image, to which the neutral image has 31.0 dB" in figure.caption


def test_decibels_of_macronet_by_hand(monkeypatch):
    """Off by a tenth: 20 dB; black in place of grey, .5: 6 dB."""

    class Net:
        def eval(self):
            return lambda x_N, x_E: SimpleNamespace(reconstruction=x_E + 0.1)

    monkeypatch.setattr(figures, "macronet", lambda *_: Net())
    x_N, x_E = (torch.full((2, 4, 4, 3), grey, dtype=torch.uint8) for grey in (0, 128))
    pairs = ImagePairs(x_N, x_E, torch.tensor([0, 1]), torch.tensor([0, 0]))
    run = SimpleNamespace(config=Config(), pretraining=SimpleNamespace(data=pairs, load=dict))
    assert "CK+: 20.0 dB, the neutral images 6.0 dB" in figures.macro_reconstructions(run).caption
