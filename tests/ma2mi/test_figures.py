"""Figures 5 and 6: what is predicted, from which frame, and whose face, map and answer stand in a row."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ma2mi import figures
from ma2mi.config import Config
from shared.tasks import TASKS

TASK = TASKS["casme2-5-2019"]


@pytest.fixture
def run():
    """Five clips of five people, of one grey a frame: 20 i at the onset and 20 i + 10 at the apex."""
    greys = 20 * np.arange(5)[:, None] + (0, 10)
    pixels = np.broadcast_to(greys[:, :, None, None, None], (5, 2, 36, 36, 3)).astype(np.uint8)
    samples = {"sample": list("abcde"), "subject": list("abcde"), "target": range(5), "emotion": TASK.classes}
    return SimpleNamespace(
        config=Config(),
        task=TASK,
        samples=pd.DataFrame(samples | {"au_codes": "4"}),
        data=SimpleNamespace(stacked=lambda: pixels),
        tested=lambda part: {s: i for i, s in enumerate("abcde")},
        scores=lambda: {s: np.eye(5)[-1 - i].tolist() for i, s in enumerate("abcde")},
        pretraining=SimpleNamespace(load=dict, history=lambda: [{"epoch": 1, "cross_entropy": 1.0}]),
        session=SimpleNamespace(rule="last", weights_dir=None),
    )


def test_the_apex_is_predicted_from_the_onset(run, monkeypatch):
    """By a model that copies the frame that it starts from."""
    model = SimpleNamespace(miacnet=None, dit=None, autoencoder=None, predict=lambda I_t, I_td: I_t)
    model.eval = lambda: model
    monkeypatch.setattr(figures, "Reconstruction", lambda *_: model)
    monkeypatch.setattr(figures, "autoencoder", lambda *_: None)
    monkeypatch.setattr(figures, "take", lambda *_: None)
    run.config = Config(size=32, resize=36, pretrain="none")
    axes = figures.reconstructions(run).plot.axes
    shown = np.array([round(255 * axis.images[0].get_array().mean()) for axis in axes]).reshape(-1, 3)
    assert (shown[:, 1] == shown[:, 0] + 10).all() and (shown[:, 2] == shown[:, 0]).all()


def test_a_row_is_of_one_clip(run, monkeypatch):
    over = []
    monkeypatch.setattr(figures, "overlay", lambda axis, heat, size, **_: over.append(heat))
    axes = np.array(figures.heat_maps(run).plot.axes).reshape(-1, 3)
    assert len(axes) == len(over) == 4 and over != [0, 1, 2, 3]
    for row, i in zip(axes, over, strict=True):
        assert [axis.images[0].get_array().max() for axis in row] == [20 * i, 20 * i + 10, 20 * i + 10]
        assert (
            row[0].get_title().startswith(TASK.classes[i]) and row[2].get_title() == f"predicted {TASK.classes[4 - i]}"
        )


@pytest.mark.parametrize("pretrain", ["none", "recognition", "pixels", "latents"])
def test_a_reconstruction_is_drawn_where_there_is_one(pretrain, run, monkeypatch):
    run.config = run.session.base = Config(pretrain=pretrain)
    drawn = [
        monkeypatch.setattr(figures, name, lambda _, name=name: name) or name
        for name in ("reconstructions", "heat_maps")
    ]
    assert figures.figures(run.session, [run], []) == drawn[pretrain in ("none", "recognition") :]
