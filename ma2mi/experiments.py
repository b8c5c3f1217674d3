"""Settings and tables of the paper: a line a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.runs.config import Precision
from shared.runs.paper import Column, Paper, Row, Table

from . import data, figures, train
from .autoencoder import FILE


@dataclass(frozen=True)
class Config:
    size: int = 256  # Sec. 4.3
    resize: int = 288  # not in the paper: training crops `size` out of this
    rotation: float = 10.0  # degrees; not in the paper: "random rotation"
    width: int = 64  # ResNet-18 (Sec. 3.1)
    dim: int = 768  # length of C_Δ; not in the paper: the width of DiT-B
    join: Literal["concat", "add"] = "concat"  # of F^p and F^a; only drawn in Fig. 2
    position: bool = True  # the position branch (Table 4)
    # pre-training
    pretrain: Literal["none", "recognition", "pixels", "latents"] = "latents"  # w/o, MAER, † and MA2MI of Table 1
    source: Literal["AFEW", "FERV39k", "DFEW"] = "DFEW"  # Sec. 4.3; others in Table 3
    delta: tuple[int, int] = (3, 8)  # Sec. 4.3; others in Fig. 4
    position_loss: bool = True  # L_pos (Table 4)
    norm: Literal["position", "map"] = "position"  # of L_3; not in the paper: mean over positions
    autoencoder: Literal["published", "random", "pool"] = "published"  # Sec. 3.2: as DiT's
    patch: int = 2  # of DiT on latents; not in the paper
    patch_pixels: int = 16  # of DiT on pixels; not in the paper
    dit_dim: int = 768  # DiT-B (Sec. 4.3)
    dit_depth: int = 12  # DiT-B
    dit_heads: int = 12  # DiT-B
    pretrain_epochs: int = 80  # Sec. 4.3
    pretrain_batch: int = 32  # Sec. 4.3
    pretrain_lr: float = 4e-4  # Sec. 4.3
    # fine-tuning
    tune: Literal["position", "action", "both"] = "both"  # encoders (Table 2)
    reconstruct: bool = False  # keep L_pre while fine-tuning (Table 2)
    epochs: int = 80  # Sec. 4.3
    batch: int = 16  # Sec. 4.3
    lr: float = 4e-4  # Sec. 4.3
    weight_decay: float = 0.1  # Sec. 4.3
    final: float = 0.01  # last epoch's share of the learning rate; not in the paper: "an exponential rate"
    # of the machine, not in the paper
    precision: Precision = "float32"
    compile: bool = False  # networks by torch.compile


SMOKE = dict(
    size=64,
    resize=72,
    width=16,
    dim=192,
    autoencoder="pool",
    dit_dim=192,
    dit_depth=1,
    dit_heads=3,
    patch=2,
    pretrain_epochs=60,
    pretrain_batch=8,
    pretrain_lr=4e-3,
    epochs=26,
    batch=8,
    lr=3e-3,
)

NETWORK = ("size", "width", "dim", "join", "position")
LEARNING = ("source", "pretrain", "pretrain_epochs", "pretrain_batch", "pretrain_lr", "final", "precision", "compile")


def pretraining(config: Config, task) -> dict | None:
    """What the pre-trained weights depend on, and no more; never on the target task."""
    if config.pretrain == "none":
        return None
    names = [*NETWORK, *LEARNING]
    if config.pretrain != "recognition":
        names += ["delta", "dit_dim", "dit_depth", "dit_heads"]
        names += ["patch_pixels"] if config.pretrain == "pixels" else ["autoencoder", "patch"]
        if config.position:
            names += ["position_loss", "norm"] if config.position_loss else ["position_loss"]
    return {"corpora": (config.source,), **{name: getattr(config, name) for name in names}}


def files(config: Config) -> tuple[str, ...]:
    """The published files that the networks start from, by name."""
    latents = config.pretrain == "latents" or (config.reconstruct and config.pretrain != "pixels")
    return (FILE,) if latents and config.autoencoder == "published" else ()


def remarks(config: Config, history: list[dict[str, float]] | None = None, records=()) -> list[str]:
    """What the networks started from, and whether their pre-training, `history`, learnt motion."""
    if config.pretrain == "none":
        return ["weights: random"]
    latents = {
        "published": f"the published autoencoder ({FILE} of stabilityai/sd-vae-ft-ema or -mse)",
        "random": "an autoencoder of random weights, not the published one",
        "pool": "average pooling, not of the published autoencoder",
    }
    how = f" in the latents of {latents[config.autoencoder]}" if config.pretrain == "latents" else ""
    return [f"weights: random; pre-trained here on {config.source}{how}", *map(train.motion, (history or [])[-1:])]


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

PAPER = Paper(
    name="ma2mi",
    title="MA2MI",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    headline=("table1/w/o (baseline)", "table1/MA2MI"),
    rule="last",  # the paper does not say which epoch it scores
    load=data.load,
    train=train.finetune,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=data.pretraining_data,
    pretrain=train.pretrain,
    figures=figures.figures,
    files=files,
    remarks=remarks,
)
