"""Settings: bounds, types and relations are checked when a Config is made; a pre-training's key holds what it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest

from shared.errors import UserError
from shared.runs.config import Settings, pretraining_settings, setting


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    size: int = setting(8, "input", least=1)
    resize: int = setting(10, "input", least=1)
    dropout: float = setting(0.5, "network", least=0, below=1)
    kind: Literal["a", "b"] = setting("a", "pre-training")
    depth: int = setting(2, "pre-training", when=lambda config: config.kind == "b")
    lr: float = setting(0.1, "training", above=0)
    betas: tuple[float, float] = setting((0.9, 0.99), "training", least=0, below=1)

    def conflicts(self) -> Iterator[str]:
        if self.size > self.resize:
            yield f"size={self.size}: expected at most resize={self.resize}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 0}, "size=0: expected at least 1"),
        ({"size": 2.5}, "size=2.5: expected a whole number"),
        ({"dropout": 1.0}, "dropout=1.0: expected at least 0 and less than 1"),
        ({"lr": 0.0}, "lr=0.0: expected more than 0"),
        ({"lr": float("nan")}, "lr=nan: expected a finite number"),
        ({"lr": float("inf")}, "lr=inf: expected a finite number"),
        ({"betas": (0.9, 1.0)}, "betas=0.9,1.0: expected at least 0 and less than 1"),
        ({"kind": "c"}, "kind=c: expected a, b"),
        ({"precision": "fp8"}, "precision=fp8: expected default, float32, tf32, bf16"),
        ({"size": 11}, "size=11: expected at most resize=10"),
        ({"batch": 0}, "batch=0: expected at least 1"),
        ({"size": 0, "lr": -1.0}, "size=0: expected at least 1\nlr=-1.0: expected more than 0"),
    ],
    ids=str,
)
def test_values_that_cannot_be(wrong, said):
    with pytest.raises(UserError) as error:
        Config(**wrong)
    assert str(error.value) == said


def test_values_that_can_be():
    assert Config(size=10, dropout=0, lr=1, betas=(0, 0.5)).lr == 1  # a whole number is a number


def test_a_pretraining_depends_on_what_it_reads():
    always = {"size": 8, "resize": 10, "dropout": 0.5, "precision": "default", "compile": False}
    assert pretraining_settings(Config(lr=0.2)) == always | {"kind": "a"}
    assert pretraining_settings(Config(kind="b")) == always | {"kind": "b", "depth": 2}
