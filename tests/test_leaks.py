"""What a fold learns depends on no label of its test part, in any method that tables, comparisons and claims show."""

import numpy as np
import pytest
import torch
from tiny import ROWS, trained

from shared.runs.fold import FoldTraining

METHODS = {package: (package, "") for package in ROWS}
METHODS |= {  # what their tiny rows leave out
    "TSCNN": ("skd_tstsan", "mag=false eca=false tsm=false skd=false"),
    "STSTNet": ("skd_tstsan", "method=STSTNet ststnet_epochs=1"),
    "CapsuleNet": ("skd_tstsan", "method=CapsuleNet capsulenet_epochs=1 resize=40 size=40"),
    "MMNet": ("skd_tstsan", "method=MMNet mmnet_epochs=1 resize=40 size=40"),
    "LBP-TOP": ("sca_au", "descriptor=LBP-TOP"),
    "one view": ("dvasp", "views=1"),
    "with L_MTM": ("mtmnet", "lambda_tri=1.0 guided_batch=true"),
}


def spoil(training: FoldTraining) -> None:
    """Give each sample of the test part another class, or each unit's opposite."""
    tested = training.samples["sample"].isin(training.fold.test).to_numpy()
    labels = training.samples["target"].tolist()
    other = [(1 - np.array(t)).tolist() if training.task.aus else (t + 1) % len(training.task.classes) for t in labels]
    targets = [o if test else t for t, o, test in zip(labels, other, tested, strict=True)]
    training.samples = training.samples.assign(target=targets)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_learned_from_labels_of_the_test_part(method, four_people, tmp_path, monkeypatch):
    package, changes = METHODS[method]
    settings = [*changes.split(), "iterations=2" if package == "skd_tstsan" else "epochs=1"]
    made = trained(package, four_people, tmp_path, *settings)
    init = FoldTraining.__post_init__
    monkeypatch.setattr(FoldTraining, "__post_init__", lambda training: (init(training), spoil(training)))
    again = trained(package, four_people, tmp_path, *settings)
    assert list(again.samples["target"]) != list(made.samples["target"])
    last = str(len(made.history))
    assert again.predictions["scores"][last] == made.predictions["scores"][last]
    assert all(torch.equal(value, made.learned[name]) for name, value in again.learned.items())
    assert {**again.history[-1], "test": 0} == {**made.history[-1], "test": 0}
