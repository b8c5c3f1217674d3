"""Rows are paired, and the epoch that a rule scores is the one whose weights are kept and figures are drawn."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from tiny import ROWS, trained
from torch import nn
from toy.experiments import PAPER

from shared.corpora import casme2 as corpus
from shared.errors import UserError
from shared.protocols import with_validation
from shared.runs import engine
from shared.runs.experiment import Experiment, predicted
from shared.runs.fold import FoldTraining
from shared.tasks import TASKS

TASK = TASKS["casme2-5"]


@pytest.fixture
def make(casme2):
    """A fold's job of the toy, as its fields are given: clips of happiness, surprise and disgust in each part."""
    samples = TASK.select(corpus.read(casme2).samples)
    folds = TASK.folds(samples)

    def training(validation=False, **fields) -> FoldTraining:
        fold = (with_validation(folds, samples) if validation else folds)[1]
        return FoldTraining("toy", PAPER.config(), TASK, fold, None, samples, 5, torch.device("cpu"), **fields)

    return training


def test_an_epoch_without_a_batch_is_no_training(make):
    with pytest.raises(UserError, match="no batch of .* in epoch 3, of .* samples in training: nothing was learned"):
        make().means(2)


class Batches:
    """A Config that has a batch alone."""

    batch = 2


def test_jobs_of_one_seed_meet_the_same_batches_and_augmentation(make):
    """However much their networks have drawn before and between."""
    met = []
    for drawn in (0, 7):
        training, own = make(), []
        training.config = Batches
        torch.rand(drawn)
        for stage in ("training", "training", "guidance"):
            own.append([b.tolist() for b in training.shuffled(training.indices("train"), stage=stage)])
            torch.rand(drawn)
            own.append(torch.rand(3, generator=training.augmentation).tolist())
        met.append(own)
    assert met[0] == met[1]
    first, one, second, other, guidance, _ = met[0]
    assert first != second and one != other and guidance != first
    assert len(set(sum(first, []))) == 8 and set(sum(first, [])) < {0, 1, 2, 6, 7, 8, 9, 10, 11}  # one is left over


def test_jobs_of_other_seeds_meet_other_batches_and_augmentation(make):
    batches, augmented = [], []
    for seed in range(3):
        training = make()
        training.config, training.seed = Batches, seed
        batches.append([b.tolist() for b in training.shuffled(training.indices("train"))])
        augmented.append(torch.rand(3, generator=training.augmentation).tolist())
    assert all(met[0] != met[1] != met[2] != met[0] for met in (batches, augmented))


@pytest.mark.parametrize("package", ROWS)
def test_networks_that_differ_meet_the_same_batches_and_augmentation(package, four_people, tmp_path, monkeypatch):
    """A network of another width takes other numbers of draws from torch's global generator."""
    shuffled, met = FoldTraining.shuffled, []

    def noted(training, *arguments, **how):
        for rows in shuffled(training, *arguments, **how):
            met[-1].append(rows.tolist())
            yield rows

    monkeypatch.setattr(FoldTraining, "shuffled", noted)
    for width in (8, 16):
        met.append([])
        training = trained(package, four_people, tmp_path, f"width={width}")
        met[-1].append(training.augmentation.get_state().tolist())
    assert len(met[0]) > 2 and met[0] == met[1]


def test_a_seed_is_of_the_task_the_fold_and_the_seed_alone(toy, casme2, tmp_path, monkeypatch):
    """And so are the folds."""
    found = {}

    class Noted(FoldTraining):
        def __post_init__(self):
            super().__post_init__()
            found.setdefault((self.config, self.fold), []).append(self.seed)

    monkeypatch.setattr(engine, "FoldTraining", Noted)
    arguments = ("--data", casme2, "--out", tmp_path / "out", "--seeds", 2, "--set", "pretrain_epochs=1")
    assert toy("table1", *arguments)[0] == 0
    rows = {}
    for (config, fold), seeds in found.items():
        rows.setdefault(config.pretrain, {})[fold] = seeds
    assert rows[False] == rows[True] and len(rows[True]) == 4
    assert len({seed for seeds in rows[True].values() for seed in seeds}) == 4 * 2


# What is said of a part's three clips, of the classes 0, 1, 2, in five epochs. TWO and PAIR are two of three right; of
# the five classes' F1 the mean is 2/5 of TWO, and (2/3 + 1)/5 of PAIR.
TWO, PAIR, ONE, NONE = [0, 1, 4], [0, 0, 2], [0, 4, 4], [4, 4, 4]
EPOCHS = {"test": [ONE, TWO, PAIR, ONE, NONE], "val": [TWO, ONE, NONE, PAIR, NONE]}
CHOSEN = {  # ties go to the later epoch
    ("last", "accuracy"): 5,
    ("best_on_test", "accuracy"): 3,
    ("val", "accuracy"): 4,
    ("last", "uf1"): 5,
    ("best_on_test", "uf1"): 2,
    ("val", "uf1"): 1,
}


def scored(training: FoldTraining, said: dict[str, list]) -> FoldTraining:
    """The job after its epochs; each epoch's number is its network's only weight."""
    training.network = nn.Linear(1, 1, bias=False)
    part_of = {tuple(training.indices(part).tolist()): part for part in ("test", "val")}
    for epoch in range(len(said["test"])):
        nn.init.constant_(training.network.weight, epoch + 1)
        training.score(epoch, lambda rows, e=epoch: torch.eye(5)[said[part_of[tuple(rows.tolist())]][e]])
    return training


@pytest.mark.parametrize(("rule", "metric"), CHOSEN)
def test_the_scored_epoch_is_the_one_whose_weights_are_kept_and_drawn(make, rule, metric):
    """It is chosen by the first of the metrics, that which the table prints; by the others, their scores are kept."""
    other = {"accuracy": "uf1", "uf1": "accuracy"}[metric]
    training = scored(make(validation=True, rule=rule, metrics=(metric, other)), EPOCHS)
    assert training.scored_epoch == training.learned["weight"].item() == CHOSEN[rule, metric]
    assert (
        training.scored(training.network).weight.item() == CHOSEN[rule, metric]
        and training.network.weight.item() == CHOSEN[rule, metric]
    )
    for (by_rule, by_metric), epoch in CHOSEN.items():
        scores = torch.tensor(predicted({"predictions": training.predictions}, by_rule, by_metric))
        assert scores.argmax(dim=1).tolist() == EPOCHS["test"][epoch - 1]
    assert set(training.predictions["scores"]) == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize(("rule", "metric"), CHOSEN)
def test_scores_for_figures_are_of_the_scored_epoch(make, rule, metric):
    training = scored(make(validation=True, rule=rule, metrics=(metric,)), EPOCHS)
    record = {"samples": training.fold.test, "predictions": training.predictions}
    run = SimpleNamespace(session=SimpleNamespace(rule=rule), metrics=(metric,), records=lambda: [record])
    run.tested = partial(Experiment.tested, run)
    said = [torch.tensor(Experiment.scores(run)[sample]).argmax().item() for sample in training.fold.test]
    assert said == EPOCHS["test"][CHOSEN[rule, metric] - 1]


@pytest.mark.parametrize("rule", ["val", "best_on_test"])
def test_ties_go_to_the_later_epoch(make, rule):
    said = {"test": [TWO, TWO, NONE], "val": [TWO, TWO, NONE]}
    training = scored(make(validation=True, rule=rule, metrics=("uf1",)), said)
    assert training.scored(training.network).weight.item() == 2 and set(training.predictions["scores"]) == {"2", "3"}


def test_each_output_has_an_epoch_of_its_own(make):
    """The weights are those of the main output's."""
    training = make(rule="best_on_test", metrics=("accuracy",))
    training.network = nn.Linear(1, 1, bias=False)
    for epoch, (main, side) in enumerate([(ONE, TWO), (TWO, ONE), (NONE, NONE)]):
        nn.init.constant_(training.network.weight, epoch + 1)
        training.score(epoch, lambda rows, m=main, s=side: {"": torch.eye(5)[m], "side": torch.eye(5)[s]})
    assert training.predictions["epochs"]["best_on_test"] == {"accuracy": {"": "2", "side": "1"}}
    assert training.predictions["epochs"]["last"] == {"accuracy": {"": "3", "side": "3"}}
    assert training.scored(training.network).weight.item() == 2
    assert (
        predicted({"predictions": training.predictions}, "best_on_test", "accuracy", "side")
        == torch.eye(5)[TWO].tolist()
    )


def test_a_fold_without_a_validation_part_has_no_epoch_of_rule_val(make):
    with pytest.raises(UserError, match="toy: rule val, and the fold has no validation part"):
        scored(make(rule="val"), EPOCHS)
