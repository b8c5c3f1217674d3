"""The baselines train on a few random images as their released code says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tiny import trained

from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.runs.fold import FoldTraining
from shared.tasks import TASKS
from skd_tstsan.baselines import train as loops
from skd_tstsan.baselines.data import load
from skd_tstsan.config import Config
from skd_tstsan.experiments import CAPSULENET, MMNET, PAPER, STSTNET

TASK = TASKS["casme2-5-apex"]
TINY = dict(resize=32, width=8, image=144, trunk="random", ststnet_epochs=2, capsulenet_epochs=2, mmnet_epochs=3)
METHODS = {"STSTNet": STSTNET, "CapsuleNet": CAPSULENET | dict(batch=8), "MMNet": MMNET | dict(batch=8)}


def config_of(method: str, **changes) -> Config:
    return replace(Config(**TINY), **METHODS[method] | changes)


def epochs_of(config: Config) -> int:
    return {"STSTNet": 2, "CapsuleNet": 2, "MMNet": 3}[config.method]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> tuple[pd.DataFrame, object]:
    """A clip an emotion of three people, of images that change a little; and a cache."""
    folder, rng, rows = tmp_path_factory.mktemp("clips"), np.random.default_rng(0), []
    for person in range(3):
        for emotion in TASK.classes:
            name, numbers = f"CASME2/s{person}/{emotion}", tuple(range(1, 61))
            (folder / name).mkdir(parents=True)
            files = tuple(f"{n % 4}.png" for n in numbers)
            first, last = rng.integers(0, 256, (2, 5, 5, 3))
            for k in range(4):
                image = Image.fromarray((first + 0.05 * k * (last - first)).astype(np.uint8))
                image.resize((40, 40)).save(folder / name / f"{k}.png")
            frames = Frames(str(folder / name), files, numbers)
            rows.append((name, "CASME2", f"CASME2/s{person}", emotion, (), "", 2, 57, 60, 200.0, frames))
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    table = pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})
    return TASK.select(table), folder / "cache"


def fold_of(config: Config, corpus) -> FoldTraining:
    samples, cache = corpus
    torch.manual_seed(0)
    data = load(samples, config, cache)
    assert list(data.ids) == list(samples["sample"]) and not data.problems
    return FoldTraining("tiny", config, TASK, TASK.folds(samples)[0], data, samples, 0, torch.device("cpu"))


@pytest.mark.parametrize("method", METHODS)
def test_a_fold(method, corpus):
    """Scores under both rules, and for a user's clips those of the network that is kept."""
    config = config_of(method)
    loops.train(training := fold_of(config, corpus))
    assert len(training.history) == epochs_of(config)
    assert set(training.predictions["epochs"]) == {"last", "best_on_test"}
    assert training.made["package"] == "skd_tstsan" and training.made["network"] == method
    scores, heat = loops.apply(training.network, training.data, config)
    assert scores.shape == (15, 5) and heat.shape[:2] == (15, 1) and (heat >= 0).all() and (heat <= 1).all()
    kept = torch.tensor(training.predictions["scores"][str(epochs_of(config))][""])
    if method != "CapsuleNet":  # whose test frames are rotated at random
        torch.testing.assert_close(scores[training.indices("test")], kept, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(scores.sum(1), torch.ones(15))
    assert ((scores > 0) & (scores < 1)).all()


def test_settings_are_those_of_the_released_code():
    """In every row, beside torch's own β: rate, weight decay, batch, epochs."""
    released = {"STSTNet": (5e-5, 0, 256, 800), "CapsuleNet": (1e-4, 0, 32, 30), "MMNet": (8e-4, 0.6, 32, 74)}
    compared = [method.row for method in PAPER.comparison["emotion"]]
    rows = [row for table in PAPER.tables for row in table.rows] + compared
    found = set()
    for row in rows:
        method = row.name.split(" (")[0]
        if method in released:
            config = replace(Config(), **row.changes)
            epochs = getattr(config, f"{method.lower()}_epochs")
            assert (config.lr, config.weight_decay, config.batch, epochs) == released[method], row.name
            assert config.method == method and config.betas == (0.9, 0.999)
            found.add(row.name)
    assert len(found) == 9
    assert (loops.CAPSULENET_DECAY, loops.MMNET_DECAY, loops.MMNET_DECAYS) == (0.9, 0.987, 50)


@pytest.mark.parametrize(
    ("method", "rates"),
    [("STSTNet", [5e-5] * 2), ("CapsuleNet", [0.9e-4, 0.81e-4]), ("MMNet", [8e-4, 8e-4 * 0.987, 8e-4 * 0.987])],
)
def test_learning_rates_and_batches(method, rates, corpus, monkeypatch):
    """A learning rate an epoch; an epoch passes over every clip, CapsuleNet's balanced over frames near the apex."""
    monkeypatch.setattr(loops, "MMNET_DECAYS", 1)
    seen: dict[int, list] = {}
    step = loops.step

    def watched(training, adam, loss, rows):
        (group,) = adam.param_groups
        values = group["lr"], group["betas"], group["weight_decay"], rows.tolist()
        seen.setdefault(len(training.history), []).append(values)
        return step(training, adam, loss, rows)

    monkeypatch.setattr(loops, "step", watched)
    loops.train(training := fold_of(config_of(method), corpus))
    rows = training.indices("train").tolist()
    for epoch, rate in enumerate(rates):
        lrs, betas, decays, batches = zip(*seen[epoch], strict=True)
        assert lrs == pytest.approx([rate] * len(lrs)) and set(betas) == {(0.9, 0.999)}
        assert set(decays) == {METHODS[method]["weight_decay"]}
        if method == "STSTNet":
            assert batches == (rows,)
        elif method == "MMNet":
            assert sorted(sum(batches, [])) == rows and len(batches) == 2
        else:  # as many clips of each class, so that each comes with all its frames
            assert sorted(sum(batches, [])) == sorted(rows * 5)


def test_mmnet_meets_frames_near_onset_and_apex_in_training_alone(corpus):
    """⌊.15 · 55 / 4⌋ = 2: any of three for the onset and any of three for the apex."""
    data = load(corpus[0], config_of("MMNet"), corpus[1])
    assert data.onsets.tolist() == [3] * 15 and data.start.diff().tolist() == [6] * 15
    rows = torch.arange(15)
    assert loops.annotated(data, rows).tolist() == [[6 * i, 6 * i + 5] for i in range(15)]
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([loops.drawn(data, rows, generator) - 6 * rows[:, None] for _ in range(300)])
    for place, expected in enumerate(({0, 1, 2}, {3, 4, 5})):
        values, counts = draws[..., place].unique(return_counts=True)
        assert set(values.tolist()) == expected and (counts / counts.sum() - 1 / 3).abs().max() < 0.03


@pytest.mark.parametrize(
    ("method", "changes", "margin"),
    [
        ("CapsuleNet", [("turned", 8, True), ("jittered", 0.2, None), ("cropped", 144, None)], 10),
        ("MMNet", [("turned", 3, True), ("cropped", 144, None)], 20),
    ],
)
def test_images_of_training_are_changed_as_released(method, changes, margin, corpus, monkeypatch):
    """In each step, by the generator of the augmentation; crops are of images that have a margin."""
    seen, margins, training = [], [], fold_of(config_of(method), corpus)

    def watch(name):
        plain = getattr(loops, name)

        def watched(images, by, generator=None, **flip):
            if generator is training.augmentation:
                seen.append((name, by, flip.get("flip")))
                margins.extend([images.shape[-1] - by] * (name == "cropped"))
            return plain(images, by, generator, **flip)

        monkeypatch.setattr(loops, name, watched)

    for name in ("turned", "jittered", "cropped"):
        watch(name)
    loops.train(training)
    steps = len(margins)
    assert steps > 3 and seen == changes * steps
    assert set(margins) == {margin}


def test_capsulenet_starts_from_imagenet(corpus, tmp_path):
    from torchvision.models import resnet18

    training = fold_of(config_of("CapsuleNet", trunk="resnet18.pth", width=64, capsulenet_epochs=1), corpus)
    training.weights_dir = tmp_path
    net = loops.capsulenet(training.config, 5)()
    with pytest.raises(UserError, match="resnet18.pth is not there.*(?s:.*)trunk=random"):
        loops.start(net, training.config, tmp_path)
    state = resnet18().state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    loops.start(net, training.config, tmp_path)
    assert torch.equal(net.trunk.layer3[1].conv2.weight, state["layer3.1.conv2.weight"])
    torch.save([1, 2], tmp_path / "resnet18.pth")
    with pytest.raises(UserError, match="does not hold torchvision's"):
        loops.start(net, training.config, tmp_path)


def test_mmnet_is_given_the_onset_first(four_people, tmp_path, monkeypatch):
    """In training and in testing: frames that stand for the onset are dark here, those for the apex light."""
    seen, train = [], loops.train_mmnet

    def coded(training):
        data, frames = training.data, np.full_like(training.data.frames, 230)
        for first, onsets in zip(data.start.tolist(), data.onsets.tolist(), strict=False):
            frames[first : first + onsets] = 20
        training.data = replace(data, frames=frames)
        build = training.build

        def built(*arguments, **options):
            net = build(*arguments, **options)
            net.register_forward_pre_hook(
                lambda net, given: seen.append((net.training, given[0].mean() < given[1].mean()))
            )
            return net

        training.build = built
        train(training)

    monkeypatch.setattr(loops, "train_mmnet", coded)
    trained("skd_tstsan", four_people, tmp_path, "method=MMNet", "mmnet_epochs=1", "resize=40", "size=40")
    assert {kind for kind, _ in seen} == {True, False} and all(darker for _, darker in seen)
