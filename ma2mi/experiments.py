"""The paper's tables, one line per row, and the functions that run them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.runs.config import pretraining_settings
from shared.runs.fold import History, Record
from shared.runs.paper import Claim, Column, Method, Paper, Row, Table
from shared.tasks import Task

from . import data, figures, train
from .config import AUTOENCODER, PUBLISHED, SMOKE, Config


def pretraining(config: Config, task: Task) -> dict[str, Any] | None:
    """The settings and the corpus that the pre-trained weights depend on; never the target task."""
    if config.pretrain == "none":
        return None
    return {"corpora": (config.source,), **pretraining_settings(config)}


def files(config: Config) -> tuple[str, ...]:
    """The names of the published files that the networks start from."""
    latents = config.pretrain == "latents" or (config.reconstruct and config.pretrain != "pixels")
    encoders = () if config.start == "random" else (config.start,)
    return encoders + (AUTOENCODER.name,) * (latents and config.autoencoder == "published")


def remarks(config: Config, history: History = (), records: Sequence[Record] = ()) -> list[str]:
    """The initial weights, and a line on whether the pre-training, of which `history` is given, learned motion."""
    first = "random" if config.start == "random" else f"ImageNet's ({config.start} of torchvision)"
    if config.pretrain == "none":
        return [f"weights: {first}"]
    latents = {
        "published": f"the published autoencoder ({AUTOENCODER.name} of stabilityai/sd-vae-ft-ema or -mse)",
        "random": "an autoencoder with random weights, not the published one",
        "pool": "average pooling, not of the published autoencoder",
    }
    how = f" in the latents of {latents[config.autoencoder]}" if config.pretrain == "latents" else ""
    return [f"weights: {first}; pre-trained here on {config.source}{how}", *map(train.motion, history[-1:])]


CASME2 = (Column("CASME II Acc (%)", "casme2-5-2019", "accuracy", 100), Column("CASME II UF1", "casme2-5-2019", "uf1"))
SAMM = (Column("SAMM Acc (%)", "samm-5", "accuracy", 100), Column("SAMM UF1", "samm-5", "uf1"))
MMEW = (Column("MMEW Acc (%)", "mmew-6", "accuracy", 100),)

TABLES = (
    Table(
        "table1",
        "Table 1: pre-training methods",
        CASME2 + SAMM + MMEW,
        (
            Row("w/o (baseline)", pretrain="none"),
            Row("MAER", pretrain="recognition"),
            Row("MA2MI†", pretrain="pixels"),
            Row("MA2MI"),
        ),
    ),
    Table(
        "table2",
        "Table 2: fine-tuning methods",
        CASME2 + SAMM + MMEW,
        (
            Row("reconstruction, FPE", tune="position", reconstruct=True),
            Row("reconstruction, FAE", tune="action", reconstruct=True),
            Row("reconstruction, FPE + FAE", reconstruct=True),
            Row("FPE", tune="position"),
            Row("FAE", tune="action"),
            Row("FPE + FAE"),
        ),
    ),
    Table(
        "table3",
        "Table 3: macro-expression datasets",
        CASME2 + SAMM + MMEW,
        (Row("None", pretrain="none"), Row("AFEW", source="AFEW"), Row("FERV39K", source="FERV39k"), Row("DFEW")),
    ),
    Table(
        "table4",
        "Table 4: facial position encoder and L_pos",
        CASME2 + SAMM + MMEW,
        (Row("no FPE", position=False), Row("FPE, no L_pos", position_loss=False), Row("FPE, L_pos")),
    ),
    Table("table5", "Table 5: state of the art on CASME II and SAMM", CASME2 + SAMM, (Row("MA2MI (Ours)"),)),
    Table("table6", "Table 6: state of the art on MMEW", MMEW, (Row("MA2MI (Ours)"),)),
    Table(
        "figure4",
        "Figure 4: sampling interval δ (ours but for [3, 8])",
        CASME2 + SAMM + MMEW,
        (
            Row("δ in [1, 2]", delta=(1, 2)),
            Row("δ in [3, 8]"),
            Row("δ in [9, 14]", delta=(9, 14)),
            Row("δ in [15, 20]", delta=(15, 20)),
        ),
    ),
)

PRINTED = "CASME II in five classes of 2019, SAMM in five, MMEW in six"
COMPARISON = {
    "emotion": (
        Method(Row("MIACNet", pretrain="none"), tuned=PRINTED),
        Method(Row("MIACNet with MA2MI"), tuned=PRINTED),
    )
}
CLAIM = Claim("MA2MI", Row("MA2MI"), Row("w/o", pretrain="none"), "casme2-5-halves", "uf1")

PAPER = Paper(
    name="ma2mi",
    title="MA2MI",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    comparison=COMPARISON,
    claim=CLAIM,
    headline=("table1/w/o (baseline)", "table1/MA2MI"),
    rule="last",  # the paper does not say which epoch it scores
    load=data.load,
    train=train.train,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=data.pretraining_data,
    pretrain=train.pretrain,
    figures=figures.figures,
    files=files,
    published=PUBLISHED,
    remarks=remarks,
)
