"""Figures show the numbers of the records, each in its place."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sca_au import figures
from sca_au.config import Config
from shared.report.cells import Cell
from shared.report.results import Result
from shared.tasks import TASKS

TASK = TASKS["samm-au4"]  # units 2, 4, 7, 12


def test_micro_expressions_are_below_the_diagonal():
    """There two units always go together, and in macro-expressions never."""
    micro, macro = (pd.DataFrame({"aus": aus}) for aus in ([(1, 2), (), (1, 2), ()], [(1,), (2,), (1,), (2,)]))
    figure = figures.correlations(micro, SimpleNamespace(samples=macro, problems=[]), (1, 2))
    said = {text.get_position(): text.get_text() for text in figure.plot.axes[0].texts}  # (column, row)
    assert said == {(0, 0): "1.00", (1, 1): "1.00", (0, 1): "1.00", (1, 0): "-1.00"}


def test_failures_are_the_least_probable_units_that_are_there(monkeypatch):
    """AU7 of the second clip has .1, AU2 of the first .3; AU4, of .05, is not there."""
    over = []
    monkeypatch.setattr(figures, "overlay", lambda axis, heat, size: over.append(heat))
    samples = {"sample": ["a", "b"], "target": [(1, 0, 0, 1), (0, 1, 1, 0)], "au_codes": ["2+12", "4+7"]}
    scores, maps = {"a": [0.3, 0.05, 0.9, 0.8], "b": [0.9, 0.6, 0.1, 0.9]}, {"a": range(4), "b": range(10, 14)}
    clips = np.full((2, 3, 40, 40, 3), 100, np.uint8)
    clips[1] = 200
    run = SimpleNamespace(
        config=Config(size=40, resize=40),
        samples=pd.DataFrame(samples),
        data=SimpleNamespace(x=clips),
        task=TASK,
        tested=lambda part: maps,
        scores=lambda: scores,
    )
    axes = figures.failures([run]).plot.axes
    assert [axis.get_title() for axis in axes] == [*("AU7 of 4+7", "SCA_Learn: 0.10", "AU2 of 2+12", "SCA_Learn: 0.30")]
    assert over == [12, 0] and [axis.images[0].get_array().max() for axis in axes] == [200, 200, 100, 100]


def experiment(attention, depth, scores, samples):
    return SimpleNamespace(
        config=Config(attention=attention, depth=depth),
        samples=samples,
        task=TASKS["casme2-au8"],
        scores=lambda: scores,
    )


def test_the_units_of_activation_maps_are_those_that_their_caption_names(monkeypatch):
    """AU14 among them, but none that no clip shows: here AU2."""
    monkeypatch.setattr(figures, "maps_of", lambda _, chosen, title, caption: (chosen, caption))
    targets = np.eye(8, dtype=int)
    targets[1] = 0
    chosen, caption = figures.activation_maps(
        [experiment("scalar", 18, {}, pd.DataFrame({"target": targets.tolist()}))]
    )
    assert chosen == [(0, 0), (2, 2), (3, 3), (5, 5)] and caption.endswith("show it (AU1, AU4, AU7, AU14)")


@pytest.mark.parametrize(
    ("run", "named"),
    [
        ([("none", 18), ("scalar", 18), ("scalar", 101), ("rows", 18)], "SCA_Learn"),
        ([("none", 18), ("rows", 18)], "SCA_Learn by rows"),
    ],
)
def test_failures_are_those_of_the_papers_method(run, named, monkeypatch):
    monkeypatch.setattr(figures, "maps_of", lambda _, chosen, title, caption: (chosen, caption))
    samples = pd.DataFrame({"sample": list("abc"), "target": [[1] * 8] * 3})
    runs = [
        experiment(*how, {s: np.roll(np.arange(8) / 8, i + n).tolist() for n, s in enumerate("abc")}, samples)
        for i, how in enumerate(run)
    ]
    chosen, caption = figures.failures(runs)
    assert caption.startswith(f"Where {named} gives")
    assert chosen == [(1, 0), (2, 1)]  # probability 0 of the second run, whose scores are moved by one


def test_bars_end_where_their_intervals_do():
    ends = {"one": (0.2, 0.6), "two": (0.45, 0.9)}
    cells = [Cell(row, "SAMM accuracy", measured=0.5, low=a, high=b, rule="last") for row, (a, b) in ends.items()]
    (axis,) = figures.accuracies(Result(None, tuple(cells), ())).plot.axes
    bars = {
        bar.get_label(): bar.errorbar[2][0].get_segments()[0] for bar in axis.containers if hasattr(bar, "errorbar")
    }
    assert {row: bar[:, 1].tolist() for row, bar in bars.items()} == {r: pytest.approx(e) for r, e in ends.items()}


def test_a_parameter_takes_four_bytes():
    left = {"maps": [], "parameters": 260_000_000}
    records = [{"times": {"step": step}, "figures": left, "device": "K80"} for step in (0.5, 0.7)]
    run = SimpleNamespace(config=Config(), task=TASK, records=lambda: records)
    (table,) = figures.cost([run]).plot.axes[0].tables
    said = [table[1, i].get_text().get_text() for i in range(6)]
    assert said == ["samm-au4", "SCA_Learn", "260,000,000", "1,040.0", "0.600", "K80"]
