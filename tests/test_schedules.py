"""Learning rates: those of each step of a fold, against closed forms of the epoch."""

from collections.abc import Callable
from contextlib import contextmanager

import pytest
import torch
from tiny import STAGES, paper_of, pretraining_of, trained
from torch.optim.optimizer import register_optimizer_step_pre_hook

from shared.runs import engine
from shared.runs.parallel import Alone

Rate = Callable[[int], float]
SCHEDULES: dict[str, tuple[str, str, int, Rate]] = {  # package, changes, epochs, the rate of an epoch (from 0)
    "skd_tstsan, smoke": ("skd_tstsan", "batch=80 iterations=6", 6, lambda e: 1e-3 if e < 4 else 1e-4),
    "skd_tstsan, its paper's": ("skd_tstsan", "batch=80 iterations=3 full_rate=1", 3, lambda e: 1e-3),
    "mtmnet, smoke": ("mtmnet", "epochs=3", 3, lambda e: 1e-3 if e < 2 else 1e-4),
    "mtmnet, its paper's": ("mtmnet", "epochs=2 full_rate=1 lr_E=1e-5 lr_D_e=1e-5", 2, lambda e: 1e-5),
    "sca_au": ("sca_au", "epochs=4 drop=3", 4, lambda e: 0.01 if e < 3 else 1e-3),
    "dvasp": ("dvasp", "epochs=4 drop=3", 4, lambda e: 0.01 if e < 3 else 1e-3),
    "ma2mi": ("ma2mi", "epochs=3", 3, lambda e: 3e-3 * 0.01 ** (e / 2)),
}


@contextmanager
def stepping():
    """The rates of each optimiser step inside: a set a step."""
    rates = []
    hook = register_optimizer_step_pre_hook(lambda adam, *_: rates.append({g["lr"] for g in adam.param_groups}))
    try:
        yield rates
    finally:
        hook.remove()


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_of_each_step(name, four_people, tmp_path):
    package, changes, epochs, rate = SCHEDULES[name]
    with stepping() as rates:
        training = trained(package, four_people, tmp_path, *changes.split())
    assert len(training.history) == epochs and len(rates) % epochs == 0
    for step, found in enumerate(rates):
        assert list(found) == pytest.approx([rate(step * epochs // len(rates))]), step


def test_the_rate_of_each_step_of_ma2mis_pretraining(with_macro, tmp_path, monkeypatch):
    """It falls to `final` of its first value over the epochs, here 3."""
    monkeypatch.setitem(STAGES, "ma2mi", STAGES["ma2mi"].replace("pretrain_epochs=1", "pretrain_epochs=3"))
    stage = pretraining_of("ma2mi", with_macro, tmp_path)
    with stepping() as rates:
        engine._pretrain(stage, Alone(torch.device("cpu")), 0)
    each, first, final = len(rates) // 3, stage.config.pretrain_lr, stage.config.final
    assert final < 1 and each >= 1
    for step, found in enumerate(rates):
        assert list(found) == pytest.approx([first * final ** (step // each / 2)]), step


@pytest.mark.parametrize("package", ["mtmnet", "skd_tstsan"])
def test_the_paper_keeps_its_rates(package):
    paper = paper_of(package)
    assert paper.base("paper", {}).full_rate == 1 and paper.base("smoke", {}).full_rate == 2 / 3
