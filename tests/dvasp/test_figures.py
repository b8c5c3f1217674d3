"""Figure 5 shows each network's own maps of samples that show one unit, and marks those that it misses."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from dvasp import figures
from dvasp.config import Config
from shared.tasks import TASKS


def test_a_unit_s_maps_are_of_the_sample_that_shows_little_else_and_red_where_it_is_missed(monkeypatch):
    """The second sample shows the first unit alone; the first one stands for the second unit, the third for the last.
    Half a chance is a miss."""
    over = []
    monkeypatch.setattr(figures, "overlay", lambda axis, heat, size, **_: over.append(heat))
    samples = pd.DataFrame({"sample": ["a", "b", "c"], "target": [(1, 1, 0, 0), (1, 0, 0, 0), (0, 1, 0, 1)]})
    scores = {"a": [0.1, 0.9, 0, 0], "b": [0.4, 0.9, 0.9, 0.9], "c": [0, 0.9, 0.9, 0.5]}
    run = SimpleNamespace(
        config=Config(size=32, resize=32),
        samples=samples,
        data=SimpleNamespace(stacked=lambda: np.zeros((3, 3, 32, 32, 3), np.uint8)),
        tested=lambda part: {s: {str(au): [f"{s}{au}, view {v}" for v in (1, 2)] for au in range(4)} for s in "abc"},
        scores=lambda: scores,
    )
    plot = figures.activation_maps(TASKS["samm-au4"], {"DVASP-18": run}).plot
    assert over == [f"{of}, view {v}" for of in ("b0", "a1", "c3") for v in (1, 2)]
    red = [axis.spines["left"].get_edgecolor()[:3] == (1, 0, 0) for axis in plot.axes]
    assert red == [False, True, True, False, False, False, False, True, True]
    assert [axis.get_ylabel() for axis in plot.axes[::3]] == ["AU 2", "AU 4", "AU 12"]
