"""What every training loop keeps to: nothing is learned from the test part's labels, each step has a gradient of its
own, by the optimiser that the paper names, each epoch sees the training part, what was pre-trained is there, and
training alone sees augmented inputs."""

import gc
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny import PRETRAININGS, ROWS, experiment_of, pretraining_of, trained
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from shared.runs import engine
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

METHODS = {package: (package, "") for package in ROWS}
METHODS |= {  # what their tiny rows leave out
    "TSCNN": ("skd_tstsan", ""),
    "STSTNet": ("skd_tstsan", "ststnet_epochs=2"),
    "CapsuleNet": ("skd_tstsan", "capsulenet_epochs=2 resize=40 size=40"),
    "MMNet": ("skd_tstsan", "mmnet_epochs=2 resize=40 size=40"),
    "LBP-TOP": ("sca_au", "descriptor=LBP-TOP"),
    "ASP": ("dvasp", ""),
    "DVFT": ("dvasp", ""),
    "L_EID": ("mtmnet", "pretrain_epochs=1"),
    "L_EID, reversed": ("mtmnet", "pretrain_epochs=1 reversal=true"),
    "L_MTM": ("mtmnet", ""),
    "L_pre": ("ma2mi", "reconstruct=true weight_decay=0.0 dit_dim=12 dit_depth=1"),
    "MA2MI": ("ma2mi", ""),
}
OF = {  # rows that are not those of ROWS
    **{name: f"baselines/{name} (ours)@CASME II" for name in ("TSCNN", "STSTNet", "CapsuleNet", "MMNet")},
    "ASP": "table1/Lv+Lmv+Lasp",
    "DVFT": "table2/DVFT",
    "L_EID": "table2/L_EID, L_cls, guided batch (ours)@CASME2(CK+)",
    "L_EID, reversed": "table2/L_EID, L_cls, guided batch (ours)@CASME2(CK+)",
    "L_MTM": "table2/L_MTM@CASME2(CK+)",
}
AUGMENTED = "dvasp", "sca_au", "ma2mi", "CapsuleNet", "MMNet"  # their networks' first input


def teacher(config: Any) -> nn.Module:
    from dvasp.train import build_teacher

    return build_teacher(config, "emotionet")()


def macronet(config: Any) -> nn.Module:
    from mtmnet import EIDNet

    return EIDNet(5, 2, width=config.width)


def predictor(config: Any) -> nn.Module:
    from ma2mi.train import Reconstruction

    return Reconstruction(config, None)


def transferred(config: Any) -> nn.Module:
    from skd_tstsan.train import network

    return network(config, 5, 2)()


STARTS: dict[str, Callable[[Any], nn.Module]] = {  # what methods take from a pre-training
    "ASP": teacher,
    "DVFT": teacher,
    "L_MTM": macronet,
    "L_pre": predictor,
    "MA2MI": predictor,
    "skd_tstsan": transferred,
}
KEPT = "ASP", "L_MTM"  # and leave as it is
LEFT = {"DVFT": "FC."}  # and do not take


def groups(kind: str, *rates: float, **constants: Any) -> tuple[str, list[dict[str, Any]]]:
    """An optimiser of parameter groups of these rates, its constants torch's where nothing is said."""
    usual = {"momentum": 0, "nesterov": False} if kind == "SGD" else {"betas": (0.9, 0.999)}
    return kind, [{"lr": rate, "weight_decay": 0, **usual, **constants} for rate in rates]


FIRST = groups("Adam", 1e-4, 1e-4, 1e-5), groups("Adam", 1e-4)  # encoder, D_e and decoder, then D_s
SECOND = groups("Adam", 1e-5, 1e-5)
SKD, DVASP = groups("Adam", 1e-3, betas=(0.9, 0.99), weight_decay=5e-4), groups("SGD", 0.01, momentum=0.9)
OPTIMISERS = {
    "skd_tstsan": [SKD],  # Sec. 4.2
    "TSCNN": [SKD],
    "STSTNet": [groups("Adam", 5e-5)],  # released code, and the two below
    "CapsuleNet": [groups("Adam", 1e-4)],
    "MMNet": [groups("AdamW", 8e-4, weight_decay=0.6)],
    "sca_au": [groups("SGD", 0.01, momentum=0.9, weight_decay=1e-3)],  # Sec. 4.2
    "ma2mi": [groups("AdamW", 4e-4, weight_decay=0.1)],  # Sec. 4.3
    "L_pre": [groups("AdamW", 4e-4)],
    "MA2MI": [groups("AdamW", 4e-4, weight_decay=0.1)],
    "dvasp": [DVASP],  # Sec. IV-C; momentum: released code
    "ASP": [DVASP],
    "DVFT": [DVASP],
    "mtmnet": [SECOND],  # Sec. 4.1, which does not say Adam
    "L_EID": [*FIRST, SECOND],
    "L_EID, reversed": [*FIRST, SECOND],
    "L_MTM": [SECOND, groups("Adam", 1e-5)],
}
BEFORE = {"skd_tstsan": [SKD], "ma2mi": [groups("AdamW", 4e-4)], "dvasp": [groups("Adam", 1e-3)], "mtmnet": [*FIRST]}
RATES = {  # the papers', where smoke scale has others
    "ma2mi": "lr=4e-4 pretrain_lr=4e-4",
    "mtmnet": "pretrain_lr_E=1e-4 pretrain_lr_classifiers=1e-4 pretrain_lr_D_r=1e-5 lr_E=1e-5 lr_D_e=1e-5 lr_D=1e-5",
}


def pretrained(method: str, config: Any) -> dict[str, torch.Tensor] | None:
    """Random weights of the network that a method starts from."""
    if method not in STARTS:
        return None
    state = STARTS[method](config).state_dict()
    unused = {"skd_tstsan": ("fc.", "AC_fc."), "ma2mi": ("miacnet.fc.", *["dit."] * (method == "MA2MI"))}
    state = {k: v for k, v in state.items() if not k.startswith(unused.get(METHODS[method][0], "none"))}
    return {k: v + 0.1 * torch.rand_like(v) if v.is_floating_point() else v for k, v in state.items()}


def macro() -> Any:
    """Macro-expressions of noise."""
    from mtmnet.data import ImagePairs

    x = torch.randint(0, 256, (2, 10, 32, 32, 3), dtype=torch.uint8)
    return ImagePairs(*x, torch.arange(10) % 5, torch.arange(10) % 2)


def run(method: str, data: Any, out: Any, monkeypatch: Any, *more: str) -> FoldTraining:
    """A method's training of the first fold."""
    package, changes = METHODS[method]
    monkeypatch.setitem(ROWS, package, (OF.get(method, ROWS[package][0]), ROWS[package][1]))
    epochs = f"epochs={1 + (method in AUGMENTED)}"
    settings = [*changes.split(), "iterations=2" if package == "skd_tstsan" else epochs, *more]
    weights = pretrained(method, experiment_of(package, data, out, *settings).config)
    return trained(package, data, out, *settings, pretrained=weights, pretraining_data=macro)


class Watch:
    """What happens while trainings run."""

    def __init__(self, monkeypatch) -> None:
        self.events: list[tuple[str, int]] = []  # zero_grad, backward or step, and of which optimiser
        self.optimisers: list[torch.optim.Optimizer] = []
        self.made: list[tuple[str, list[dict[str, Any]]]] = []  # their kinds and the constants of their groups
        self.before: list[list[torch.Tensor]] = []  # the parameters of each when it was made
        self.seen: dict[bool, list[torch.Tensor]] = {True: [], False: []}  # a network's inputs in training, and not
        self.held: list[set[bytes]] = []  # at each step, the tensors of all networks there are
        self.losses: list[float] = []
        self.logged: list[dict[str, float]] = []  # the terms of each step of a pre-training
        self.again: list[tuple[Any, Any]] = []  # what is predicted of the same rows twice
        self.epochs: list[list[list[int]]] = [[]]  # of each, the rows of its batches; the last has none
        self.monkeypatch = monkeypatch
        zero_grad, backward = torch.optim.Optimizer.zero_grad, torch.Tensor.backward
        init, build, score = torch.optim.Optimizer.__init__, FoldTraining.build, FoldTraining.score
        log, note, means = Pretraining.log, FoldTraining.note, FoldTraining.means

        def noted(training, rows, **terms):
            assert training.network.training, "a step in eval mode"
            self.epochs[-1].append(rows.tolist())
            note(training, rows, **terms)

        def ended(training, epoch):
            self.epochs.append([])
            return means(training, epoch)

        def logged(pretraining, **terms):
            self.logged.append({name: term.item() for name, term in terms.items()})
            log(pretraining, **terms)

        def made(optimiser, *arguments, **options):
            init(optimiser, *arguments, **options)
            self.optimisers.append(optimiser)
            kept = "lr", "weight_decay", "betas", "momentum", "nesterov"
            constants = [{name: group[name] for name in kept if name in group} for group in optimiser.param_groups]
            self.made.append((type(optimiser).__name__, constants))
            self.before.append([p.detach().clone() for group in optimiser.param_groups for p in group["params"]])

        def zeroed(optimiser, *arguments, **options):
            self.events.append(("zero_grad", id(optimiser)))
            return zero_grad(optimiser, *arguments, **options)

        def went_back(loss, *arguments, **options):
            self.events.append(("backward", 0))
            self.losses.append(loss.item())
            return backward(loss, *arguments, **options)

        def built(training, *arguments, **options):
            network = build(training, *arguments, **options)
            network.register_forward_pre_hook(lambda net, inputs: self.seen[net.training].extend(inputs[0].clone()))
            return network

        def scored(training, epoch, predict, **losses):
            rows = training.indices("test")
            self.again.append((tensors(predict(rows)), tensors(predict(rows))))
            stepped = {id(p) for o in self.optimisers for group in o.param_groups for p in group["params"]}
            pulled = [p for net in networks() for p in net._parameters.values() if p is not None and p.grad is not None]
            assert all(id(p) in stepped for p in pulled if p.grad.any()), "a gradient that no optimiser follows"
            return score(training, epoch, predict, **losses)

        monkeypatch.setattr(torch.optim.Optimizer, "__init__", made)
        monkeypatch.setattr(torch.optim.Optimizer, "zero_grad", zeroed)
        monkeypatch.setattr(torch.Tensor, "backward", went_back)
        monkeypatch.setattr(FoldTraining, "build", built)
        monkeypatch.setattr(Pretraining, "log", logged)
        monkeypatch.setattr(FoldTraining, "score", scored)
        monkeypatch.setattr(FoldTraining, "note", noted)
        monkeypatch.setattr(FoldTraining, "means", ended)

    def step(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        self.events.append(("step", id(optimiser)))

    def hold(self, *_: Any) -> None:
        tensors = (
            t for net in networks() for t in (*net._parameters.values(), *net._buffers.values()) if t is not None
        )
        self.held.append({content(t) for t in tensors})

    def __enter__(self) -> "Watch":
        gc.collect()
        gc.freeze()  # what there is so far, such as a failed test's networks: `networks` finds those made from now on
        self.hook = register_optimizer_step_pre_hook(self.step)
        return self

    def __exit__(self, *_: Any) -> None:
        gc.unfreeze()
        self.hook.remove()
        self.monkeypatch.undo()

    def check(self) -> None:
        """Each step follows a backward pass that follows the zeroing of gradients; each group of parameters moves."""
        for optimiser, before in zip(self.optimisers, self.before, strict=True):
            own = [kind for kind, whose in self.events if whose in (0, id(optimiser))]
            steps = " ".join(own).split("step")[:-1]
            assert steps, "an optimiser that takes no step"
            assert all("zero_grad" in s and "backward" in s.rpartition("zero_grad")[2] for s in steps), steps
            values = iter(before)
            for group in optimiser.param_groups:
                moved = [not torch.equal(p, next(values)) for p in group["params"]]
                assert any(moved), "a group of parameters that never moves"

    def check_epochs(self, training: FoldTraining) -> None:
        """Each of at least two sees the whole training part and nothing else; of DVASP all whole batches of it."""
        *epochs, end = self.epochs
        learned, b = set(training.fold.train), training.config.batch
        assert len(epochs) > 1 and not end
        for batches in epochs:
            shown = {training.samples["sample"].iloc[row] for batch in batches for row in batch}
            if training.name == "dvasp":  # README, decision 17
                assert len(learned) % b and [len(batch) for batch in batches] == [b] * (len(learned) // b)
                assert len(shown) == b * len(batches) and shown < learned
            else:
                assert shown == learned


def networks() -> list[nn.Module]:
    """All that there are but those that were there before a Watch."""
    return [o for o in gc.get_objects() if issubclass(type(o), nn.Module)]


def tensors(outputs: Any) -> list[torch.Tensor]:
    """What is predicted, of one output or of several."""
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def content(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


@pytest.fixture
def watch(monkeypatch):
    return Watch(monkeypatch)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "LBP-TOP"])
def test_each_step_has_a_gradient_of_its_own(method, four_people, tmp_path, watch, monkeypatch):
    """By the paper's optimiser, in each epoch on the training part. And what is augmented is that in training alone: no
    input comes twice, and at test the same ones do."""
    package = METHODS[method][0]
    two = {"skd_tstsan": "iterations=3", "dvasp": "epochs=2 batch=7"}.get(package, "epochs=2").split()
    with watch:
        training = run(method, four_people, tmp_path, monkeypatch, *two, *RATES.get(package, "").split())
    watch.check()
    watch.check_epochs(training)
    assert watch.made == OPTIMISERS[method]
    if method != "CapsuleNet":  # which rotates test frames at random
        assert all(torch.equal(a, b) for pair in watch.again for a, b in zip(*pair, strict=True))
    else:
        assert not any(torch.equal(a, b) for pair in watch.again for a, b in zip(*pair, strict=True))
    if method in AUGMENTED:
        shown = [content(x) for x in watch.seen[True]]
        assert len(set(shown)) > 0.75 * len(shown)


@pytest.mark.parametrize("package", PRETRAININGS)
def test_each_step_of_a_pretraining_has_a_gradient_of_its_own(package, with_macro, tmp_path, watch):
    more = {**RATES, "skd_tstsan": "pretrain_batch=8"}.get(package, "").split()
    stage = pretraining_of(package, with_macro, tmp_path, *more)
    with watch:
        engine._pretrain(stage, Alone(torch.device("cpu")), 0)
    watch.check()
    assert watch.made == BEFORE[package]
    if package == "skd_tstsan":  # Sec. 4.2 counts steps; the last epoch is whole
        steps, epochs = len(watch.logged), len(json.loads(stage.record_path.read_text())["history"])
        assert epochs > 1 and 9 <= steps < 9 + steps / epochs
    beside = ("identity", "copying", "foreign", "own")  # logged, and not minimised with the others
    sums = [sum(term for name, term in terms.items() if name not in beside) for terms in watch.logged]
    each = len(watch.losses) // len(sums)  # of a game's losses the last one is that of the network
    assert watch.losses[each - 1 :: each] == pytest.approx(sums, rel=1e-5)


@pytest.mark.parametrize("method", STARTS)
def test_what_was_pretrained_is_there(method, four_people, tmp_path, watch, monkeypatch):
    """Before the first step, in networks that are used; where it only teaches, before the last one, too."""
    given: dict[str, torch.Tensor] = {}
    make = pretrained
    monkeypatch.setattr(f"{__name__}.pretrained", lambda *of: given.update(make(*of)) or given)
    hold = Watch.hold
    monkeypatch.setattr(
        Watch, "step", lambda watch, *of: hold(watch, *of) if method in KEPT or not watch.held else None
    )
    with watch:
        run(method, four_people, tmp_path, monkeypatch)
    for held in watch.held[: None if method in KEPT else 1]:
        taken = {name: v for name, v in given.items() if not name.startswith(LEFT.get(method, "none"))}
        lost = [name for name, value in taken.items() if value.is_floating_point() and content(value) not in held]
        assert not [name for name in lost if method in KEPT or "running" not in name]


def test_dvasps_teacher_sees_what_the_student_sees(four_people, tmp_path, monkeypatch):
    """And the loss is given the labels of the rows that were seen, and each weight in its place."""
    from dvasp.losses import student_loss

    seen, labels, rows = {"Teacher": [], "DualView": []}, [], []

    def noting(output, p, teacher, **how):
        assert how == dict(lambda_mv=7, method="ASP", alpha=5, follow="paper")
        labels.append(p)
        return student_loss(output, p, teacher, **how)

    def look(net: nn.Module, inputs: Any) -> None:
        if type(net).__name__ == "Teacher" or (type(net).__name__ == "DualView" and net.training):
            seen[type(net).__name__].append(inputs[0].clone())

    monkeypatch.setattr("dvasp.train.student_loss", noting)
    note = FoldTraining.note
    monkeypatch.setattr(
        FoldTraining, "note", lambda t, batch, **terms: rows.append(batch.tolist()) or note(t, batch, **terms)
    )
    hook = register_module_forward_pre_hook(look)
    try:
        training = run("ASP", four_people, tmp_path, monkeypatch, "lambda_mv=7", "alpha=5")
    finally:
        hook.remove()
    assert len(seen["DualView"]) == len(labels) == len(rows) > 1
    assert all(torch.equal(*pair) for pair in zip(seen["Teacher"], seen["DualView"], strict=True))
    targets = training.samples["target"].tolist()
    assert [p.tolist() for p in labels] == [[list(targets[row]) for row in batch] for batch in rows]


class Reached(Exception):
    """The first step."""


@pytest.mark.parametrize(
    ("kind", "package"), [(kind, p) for kind, those in (("pretraining", PRETRAININGS), ("fold", ROWS)) for p in those]
)
def test_published_weights_are_where_training_starts(kind, package, with_macro, tmp_path, watch, monkeypatch):
    given: dict[str, torch.Tensor] = {}

    def hold(*_: Any) -> None:
        watch.hold()
        raise Reached

    def start(net: nn.Module, *_: Any) -> None:
        for name, parameter in net.named_parameters():
            given[name] = parameter.data.add_(0.1 * torch.rand_like(parameter)).clone()

    monkeypatch.setattr(f"{package}.train.start", start)
    monkeypatch.setattr(f"{__name__}.STARTS", {})
    monkeypatch.setattr(watch, "step", hold)
    with pytest.raises(Reached), watch:
        if kind == "pretraining":
            engine._pretrain(pretraining_of(package, with_macro, tmp_path), Alone(torch.device("cpu")), 0)
        else:
            run(package, with_macro(), tmp_path, monkeypatch)
    assert given and not [name for name, value in given.items() if content(value) not in watch.held[0]]


def spoil(training: FoldTraining) -> None:
    """Give each sample of the test part another class, or each unit's opposite."""
    tested = training.samples["sample"].isin(training.fold.test).to_numpy()
    labels = training.samples["target"].tolist()
    other = [(1 - np.array(t)).tolist() if training.task.aus else (t + 1) % len(training.task.classes) for t in labels]
    targets = [o if test else t for t, o, test in zip(labels, other, tested, strict=True)]
    training.samples = training.samples.assign(target=targets)


@pytest.mark.parametrize("method", [*ROWS, "STSTNet", "CapsuleNet", "MMNet", "LBP-TOP", "L_MTM"])
def test_nothing_is_learned_from_labels_of_the_test_part(method, four_people, tmp_path, monkeypatch):
    torch.manual_seed(1)
    made = run(method, four_people, tmp_path, monkeypatch)
    init = FoldTraining.__post_init__
    monkeypatch.setattr(FoldTraining, "__post_init__", lambda training: (init(training), spoil(training)))
    torch.manual_seed(1)
    again = run(method, four_people, tmp_path, monkeypatch)
    assert list(again.samples["target"]) != list(made.samples["target"])
    last = str(len(made.history))
    assert again.predictions["scores"][last] == made.predictions["scores"][last]
    assert all(torch.equal(value, made.learned[name]) for name, value in again.learned.items())
    assert {**again.history[-1], "test": 0} == {**made.history[-1], "test": 0}
