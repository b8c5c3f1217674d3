"""Settings and tables of the toy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.pixels.frames import prepare
from shared.runs.paper import Column, Paper, Precision, Row, Table

from . import train


@dataclass(frozen=True)
class Config:
    pretrain: bool = False
    source: str = "CASME2"
    pretrain_epochs: int = 4
    pretrain_batch: int = 8
    checkpoint: float = 600.0
    epochs: int = 2
    pause: float = 0.0  # seconds that an epoch takes on top
    lr: float = 0.05
    delta: tuple[int, int] = (3, 8)
    norm: Literal["batch", "none"] = "batch"
    precision: Precision = "float32"
    compile: bool = False


def load(samples, config, cache):
    return prepare(samples, list(zip(samples["onset"], samples["apex"], strict=True)), size=8, gray=True, cache=cache)


def pretraining(config, task):
    if not config.pretrain:
        return None
    names = ("pretrain_epochs", "pretrain_batch", "lr", "norm", "checkpoint", "pause", "precision", "compile")
    return {"corpora": (config.source,), **{name: getattr(config, name) for name in names}}


COLUMNS = (Column("Acc (%)", "casme2-5", "accuracy", 100), Column("UF1", "casme2-5", "uf1"))

PAPER = Paper(
    name="toy",
    title="Toy",
    folder=Path(__file__).parent,
    config=Config,
    smoke={},
    tables=(
        Table("table1", "Table 1: the toy", COLUMNS, (Row("plain"), Row("w/ pre-training", pretrain=True))),
        Table("table2", "Table 2: other data", COLUMNS, (Row("on SAMM", pretrain=True, source="SAMM"),)),
    ),
    headline=("table1/plain",),
    rule="last",
    load=load,
    train=train.train,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=lambda samples, config, cache: train.Onsets(samples[config.corpora[0]], cache),
    pretrain=train.pretrain,
    remarks=lambda config, history=None, records=(): ["weights: random"],
)
