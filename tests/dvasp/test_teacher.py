"""The teacher's training: a batch shared by two processes, an end in the middle of an epoch, what it sees."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import golden
from sklearn.metrics import f1_score
from toy.forked import called
from toy.shell import ROOT, python_path

from dvasp.config import Config
from dvasp.data import Faces
from dvasp.experiments import remarks
from dvasp.losses import teacher_loss
from dvasp.train import CONSTANT, HELD_OUT
from shared.errors import UserError
from shared.runs.parallel import Alone, launch
from shared.tasks import TASKS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def here():
    """This folder on the path, of processes too; float64, in which two processes differ by their faults alone."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(Path(__file__).parent)
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", python_path(ROOT, Path(folder)))
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)


def check_held_out(training, images):
    """The record names the teacher's F1 and that of a teacher that never sees anything, by scikit-learn."""
    task = TASKS["emotionet-au12"]
    labelled = task.select(images)
    (fold,) = task.folds(labelled)
    target = np.array(labelled["target"][labelled["sample"].isin(fold.test)].tolist())
    constant = [
        f1_score(t[t >= 0], np.zeros((t >= 0).sum()), average="macro", labels=[0, 1], zero_division=0) for t in target.T
    ]
    last = training.history[-1]
    assert last["held-out f1_macro of all absent"] == pytest.approx(np.mean(constant), abs=1e-4)
    assert 0 <= last["held-out f1_macro"] <= 1
    f1 = f"{last['held-out f1_macro']:.3f} on held-out images of EmotioNet, all absent {np.mean(constant):.3f}"
    assert f1 in remarks(Config(), history=training.history)[1]
    assert "learned nothing" in remarks(Config(), history=[{HELD_OUT: 0.449, CONSTANT: 0.449}])[1]
    assert "learned nothing" not in remarks(Config(), history=[{HELD_OUT: 0.66, CONSTANT: 0.449}])[1]
    assert len(remarks(Config())) == len(remarks(Config(method="none"), history=None)) == 1


@pytest.fixture(scope="module")
def alone(here, tmp_path_factory):
    """(folder, weights, curve) of a teacher trained by one process."""
    from dvasp_together import CONFIG
    from faces import teach, wild

    folder = tmp_path_factory.mktemp("teacher")
    images = wild(folder)
    images.to_pickle(folder / "images.pkl")
    weights, curve, training = teach(CONFIG, images, folder / "cache", folder / "alone", Alone(CPU))
    check_held_out(training, images)
    return folder, images, weights, curve


def test_two_processes_have_the_loss_curve_of_one(alone):
    folder, _, weights, curve = alone
    done = called(launch, ["-m", "dvasp_together", str(folder)], 2, PYTHONPATH=os.environ["PYTHONPATH"])
    assert done.returncode == 0, done.stderr
    found = [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert len(curve) > 20 and (curve[0] - curve[20]).abs().max() > 0.01
    for one in found:
        torch.testing.assert_close(one["curve"], curve, rtol=0, atol=1e-9)
        torch.testing.assert_close(one["weights"], weights, rtol=0, atol=1e-9)


def test_a_teacher_stopped_within_an_epoch_ends_with_the_same_weights(alone):
    from dvasp_together import CONFIG
    from faces import Stopped, teach

    folder, images, weights, curve = alone
    for stop in (4, 7):  # neither at the end of an epoch
        with pytest.raises(Stopped):
            teach(CONFIG, images, folder / "cache", folder / "stopped", Alone(CPU), stop=stop)
    resumed, rest, training = teach(CONFIG, images, folder / "cache", folder / "stopped", Alone(CPU))
    assert len(rest) == len(curve) - 11 and len(training.history) == CONFIG.teacher_epochs
    assert torch.equal(rest, curve[11:])
    assert all(torch.equal(resumed[k], weights[k]) for k in weights)


def test_the_single_view_teacher_sees_labelled_images_alone(alone):
    from dvasp_together import CONFIG
    from faces import teach

    folder, images, *_ = alone
    config = replace(CONFIG, views=1, teacher_epochs=1)
    _, curve, _ = teach(config, images.assign(), folder / "cache", folder / "single", Alone(CPU))
    assert curve.shape[1] == 1  # L_v
    faces = Faces(images, each=0, resize=40, cache=folder / "cache")
    assert faces[5, 0, 0][0].shape == (1, 40, 40, 3) and not faces[5, 0, 0][1].isnan().all()


@pytest.mark.parametrize(("follow", "alike"), [("paper", True), ("release", False)])
def test_the_views_share_a_c_as_in_the_equation_and_not_in_the_release(alone, follow, alike, monkeypatch):
    """As in the golden numbers of the release, which has a mask for each view, each with as many negatives."""
    from dvasp_together import CONFIG
    from faces import teach

    found = []

    def noting(output, p, a, **how):
        found.append(a)
        assert how == dict(lambda_mv=3, lambda_cr=11, cr_on="all", follow=follow)
        return teacher_loss(output, p, a, **how)

    monkeypatch.setattr("dvasp.train.teacher_loss", noting)
    config = replace(CONFIG, follow=follow, unlabelled_each=0, cr_on="all", teacher_batch=8, teacher_epochs=1)
    config = replace(config, teacher_lambda_mv=3.0, lambda_cr=11.0)
    teach(config, alone[1], alone[0] / "cache", alone[0] / follow, Alone(CPU))
    assert found and all(torch.equal(a[0].sum(0), a[1].sum(0)) for a in found)
    assert all(torch.equal(*a) for a in found) == alike
    masks = golden("dvasp_teacher_losses")
    assert (masks["mask1"] != masks["mask2"]).any() and np.array_equal(masks["mask1"].sum(0), masks["mask2"].sum(0))


def test_items_depend_on_seed_epoch_and_index(alone):
    folder, images, *_ = alone
    faces, again = (Faces(images, each=3, resize=40, cache=folder / "cache") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(faces[5, 2, 1][2:], again[5, 2, 1][2:], strict=True))
    for other in ((4, 2, 1), (5, 3, 1), (5, 2, 2)):
        assert not torch.equal(faces[5, 2, 1][2], faces[other][2])
    found, p, draws, noise = faces[5, 0, 0]
    assert found.shape == (4, 40, 40, 3) and draws.shape == (4, 3) and noise.shape == (4, 2, 12)
    assert not p[0].isnan().all() and p[1:].isnan().all()
    known = {s: t for s, t in zip(images["sample"], images["au_codes"], strict=True) if t}
    assert set(faces.train) | set(faces.held_out) == set(known) and not set(faces.train) & set(faces.held_out)
    first = dict(part.split("=") for part in known[faces.train[0]].split())
    expected = [float(first.get(str(au), "nan")) for au in (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)]
    np.testing.assert_array_equal(p[0].numpy(), expected)
    assert len(faces.others) == 12


def test_co_training_without_unlabelled_images_is_refused(alone):
    folder, images, *_ = alone
    with pytest.raises(UserError, match="no image without labels"):
        Faces(images[images["au_codes"] != ""], each=1, resize=40, cache=folder / "cache")
