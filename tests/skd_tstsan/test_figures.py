"""Figures show what belongs together: corpora, networks, components of flow, people."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from shared.tasks import TASKS
from skd_tstsan import figures
from skd_tstsan.config import Config


def test_each_corpus_has_its_own_confusion_matrix():
    """Of 1 + 1 + 2 samples, said to be of classes 0, 1, 2, 2, the first alone is not."""
    record = {
        "corpora": ["CASME2", "SAMM", "SMIC", "SMIC"],
        "subjects": list("abcc"),
        "targets": [1, 1, 2, 2],
        "fold": "all",
        "metrics": ["uf1"],
        "predictions": {
            "epochs": {"last": {"uf1": {"": "1"}}},
            "scores": {"1": {"": np.eye(3)[[0, 1, 2, 2]].tolist()}},
        },
    }
    run = SimpleNamespace(task=TASKS["cde-3"], records=lambda: [record], session=SimpleNamespace(rule="last"))
    found = {}
    for axis in figures.confusions([run]).plot.axes:
        found[axis.get_title()] = {t.get_position(): t.get_text() for t in axis.texts if t.get_text() != "0.00"}
    assert found == {
        "cde-3, n = 4": {(0, 1): "0.50", (1, 1): "0.50", (2, 2): "1.00"},
        "cde-3, CASME2, n = 1": {(0, 1): "1.00"},
        "cde-3, SAMM, n = 1": {(1, 1): "1.00"},
        "cde-3, SMIC, n = 2": {(2, 2): "1.00"},
    }


def test_heat_maps_stand_beside_the_name_of_their_network(monkeypatch):
    over = {}
    monkeypatch.setattr(figures, "overlay", lambda axis, heat, size, **_: over.update({axis: heat}))
    row = {"sample": "a", "corpus": "CASME2", "emotion": "disgust", "au_codes": "4"}
    data = SimpleNamespace(faces=np.zeros((1, 2, 8, 8), np.uint8))
    runs = [SimpleNamespace(data=data, samples=pd.DataFrame([row]), tested=lambda part, n=n: {"a": n}) for n in (1, 2)]
    figures.heat_maps(*runs)
    assert {axis.get_ylabel(): heat for axis, heat in over.items()} == {"with ECA": 1, "without ECA": 2}


def test_u_stands_above_v_of_each_domain():
    """Channels are 34 of images, then u and v of one domain after the other; each is its number here."""
    runs = []
    for domains in (3, 2):
        x = torch.arange(34.0 + 2 * domains)[None, :, None, None].expand(1, -1, 4, 4)
        data = SimpleNamespace(ids=["a"], tensor=lambda device, follow, x=x: x)
        config = Config(domains=domains)
        runs.append(SimpleNamespace(config=config, data=data, samples=pd.DataFrame({"sample": ["a"]})))
    axes = np.array(figures.temporal_domains(runs).plot.axes).reshape(4, 3)
    shown = [[axis.images[0].get_array().max() if axis.images else None for axis in row] for row in axes]
    assert shown == [[34, 36, None], [35, 37, None], [34, 36, 38], [35, 37, 39]]


def test_a_point_has_the_colour_of_its_clips_class(monkeypatch):
    class First:
        def __init__(self, **_):
            pass

        def fit_transform(self, vectors):
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "sklearn.manifold", SimpleNamespace(TSNE=First))
    samples = pd.DataFrame({"sample": list("abcde"), "subject": list("xyxyy"), "target": [0, 1, 2, 1, 0]})
    features = {s: [i, 10 * i, 0] for i, s in enumerate("abcde")}
    run = SimpleNamespace(task=TASKS["casme2-3"], samples=samples, tested=lambda part: features)
    axes = figures.embeddings("", {"deepest": (run, "")}).plot.axes
    for axis, person in zip(axes, "yx", strict=True):
        for k, points in enumerate(axis.collections):
            own = samples[(samples["subject"] == person) & (samples["target"] == k)]
            assert points.get_offsets().tolist() == [features[s][:2] for s in own["sample"]]
            assert points.get_label() == TASKS["casme2-3"].classes[k]
