"""Tables of the toy: a line a row."""

from pathlib import Path
from typing import Any

import pandas as pd

from shared.pixels.frames import Store, prepare
from shared.runs.config import pretraining_settings
from shared.runs.paper import Claim, Column, Method, Paper, Row, Table
from shared.tasks import Task

from . import train
from .config import Config


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Store:
    numbers = list(zip(samples["onset"], samples["apex"], strict=True))
    return prepare(samples, numbers, size=8, gray=True, cache=cache)


def pretraining(config: Config, task: Task) -> dict[str, Any] | None:
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
    comparison={
        "emotion": (
            Method(Row("toy"), tuned="nothing"),
            Method(Row("toy, pre-trained", pretrain=True), by_task={"casme2-3": {"source": "SAMM"}}),
        )
    },
    claim=Claim("pre-training", Row("w/ pre-training", pretrain=True), Row("plain"), "casme2-5-halves", "uf1"),
    headline=("table1/plain",),
    rule="last",
    load=load,
    train=train.train,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=lambda samples, config, cache: train.Onsets(samples[config.corpora[0]], cache),
    pretrain=train.pretrain,
    yardstick=False,  # on images of 8×8
    remarks=lambda config, history=None, records=(): ["weights: random"],
)
