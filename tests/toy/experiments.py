"""Settings and tables of the toy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.pixels.frames import prepare
from shared.runs.config import Settings, pretraining_settings, setting
from shared.runs.paper import Column, Paper, Row, Table

from . import train


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    pretrain: bool = setting(False, "training")
    source: str = setting("CASME2", "training")
    pretrain_epochs: int = setting(4, "pre-training", least=1)
    pretrain_batch: int = setting(8, "pre-training", least=1)
    checkpoint: float = setting(600.0, "pre-training", least=0)  # seconds
    epochs: int = setting(2, "training", least=0)
    pause: float = setting(0.0, "machine", least=0)  # seconds that an epoch takes on top
    lr: float = setting(0.05, "network", above=0)
    delta: tuple[int, int] = setting((3, 8), "training", least=1)
    norm: Literal["batch", "none"] = setting("batch", "network")


def load(samples, config, cache):
    return prepare(samples, list(zip(samples["onset"], samples["apex"], strict=True)), size=8, gray=True, cache=cache)


def pretraining(config, task):
    return {"corpora": (config.source,), **pretraining_settings(config)} if config.pretrain else None


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
