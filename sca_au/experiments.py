"""Settings and tables of the paper: a line a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import UserError
from shared.runs.config import Precision
from shared.runs.paper import Column, Paper, Row, Table
from shared.tasks import TASKS

from . import data, figures, train


@dataclass(frozen=True)
class Config:
    size: int = 112  # Sec. 4.2
    resize: int = 128  # not in the paper: training crops `size` out of this
    tim: int = 50  # frames after temporal interpolation (Sec. 4.2)
    frames: int = 10  # sampled from those (Sec. 4.2)
    # network
    depth: Literal[18, 50, 101] = 18  # of Res3D (Sec. 4.3)
    attention: Literal["none", "SA", "CA", "max", "avg", "concat", "scalar", "rows"] = "scalar"  # Sec. 3.4, Eq. (3)
    reduced: int = 128  # c'; not in the paper: as in the second-order-pooling network that it follows
    k: int = 4  # filters a row (Sec. 3.2)
    relu: bool = False  # after the row convolution of the spatial attention; Sec. 3.3 has none, the group's code one
    width: int = 64  # channels of the first stage, as in the zoo
    dropout: float = 0.5  # Sec. 4.2
    backbone: train.Backbone = "zoo"  # Kinetics and UCF-101 (Sec. 4.2) where such a file has a known source
    subtract: bool = False  # the first frame from all others; not in the paper: what makes up for missing weights
    # training
    flip: bool = True  # not in the paper
    epochs: int = 60  # Sec. 4.2
    batch: int = 64  # Sec. 4.4
    lr: float = 0.01  # Sec. 4.2
    drop: int = 30  # epochs after which lr is divided by 10 (Sec. 4.2)
    momentum: float = 0.9  # Sec. 4.2
    weight_decay: float = 1e-3  # Sec. 4.2
    # hand-crafted features
    descriptor: Literal["none", "LBP-TOP", "LPQ-TOP", "LBP-SIP", "HOG3D"] = "none"  # and an SVM, for the network
    blocks: int = 5  # 5×5 (Sec. 4.3)
    radii: tuple[int, int, int] = (3, 3, 3)  # of LBP-TOP and LBP-SIP (Sec. 4.3)
    window: int = 5  # of LPQ-TOP; not in the paper
    # of the machine, not in the paper
    precision: Precision = "float32"
    compile: bool = False  # networks by torch.compile

    def __post_init__(self):
        """Raises UserError for values that cannot be, alone or together."""
        counts = "size resize tim frames reduced k width epochs batch drop blocks window"
        refused = [f"{n} is {getattr(self, n)}: 1 or more" for n in counts.split() if getattr(self, n) < 1]
        for wrong, what in (
            (self.size <= 32, f"size is {self.size}: 33 or more, or the last map has one position and no covariance"),
            (self.size > self.resize, f"size is {self.size}: no crop of resize, {self.resize}, is as large"),
            (self.frames > self.tim, f"frames is {self.frames}: tim, {self.tim}, has fewer to sample from"),
            (not 0 <= self.dropout < 1, f"dropout is {self.dropout:g}: from 0 to less than 1"),
            (not 0 < self.lr < float("inf"), f"lr is {self.lr:g}: a number above 0"),
            (not 0 <= self.momentum < 1, f"momentum is {self.momentum:g}: from 0 to less than 1"),
            (not 0 <= self.weight_decay < float("inf"), f"weight_decay is {self.weight_decay:g}: 0 or more"),
        ):
            refused += [what] * wrong
        if refused:
            raise UserError("\n".join(refused))


SMOKE = dict(size=56, resize=64, reduced=32, width=16, backbone="random", subtract=True, epochs=40, batch=8)


def files(config: Config) -> tuple[str, ...]:
    """The published files that the networks start from, by name."""
    zoo = train.zoo(config) if config.descriptor == "none" else None
    return (zoo.file,) if zoo else ()


def remarks(config: Config, history=None, records=()) -> list[str]:
    """What the networks started from, and what is done to them that the paper does not."""
    if config.descriptor != "none":
        failed = sum(record["figures"].get("not converged", 0) for record in records)
        unsure = f"{config.descriptor}: {failed} SVMs have not converged: decisions may depend on the samples' order"
        return ["weights: none (an SVM)", *[unsure] * (failed > 0)]
    if (zoo := train.zoo(config)) is None:
        first = "random, not those of Kinetics and UCF-101"
    else:
        alone = " alone, not of UCF-101 as in the paper" * (zoo.classes == 400)
        first = f"those of {zoo.data}{alone} ({zoo.file} of the 2018 model zoo of 3D ResNets)"
    seen = ["input: the first frame is subtracted from the others, which the paper does not do"]
    return [f"weights: {first}", *seen * config.subtract]


def columns(task: str, metric: str) -> tuple[Column, ...]:
    """A column an action unit of the task, and their mean. Printed F1 are means over folds, as their digits show."""
    joined = "mean of folds" if metric == F1 else "pooled"
    units = tuple(Column(f"AU{au}", task, metric, au=au, joined=joined) for au in TASKS[task].aus)
    return (*units, Column("AVG", task, metric, joined=joined))


METHODS = (
    Row("LBP-TOP", descriptor="LBP-TOP"),
    Row("LPQ-TOP", descriptor="LPQ-TOP"),
    Row("LBP-SIP", descriptor="LBP-SIP"),
    Row("HOG3D", descriptor="HOG3D"),
    Row("Res3D18", attention="none"),
    Row("Res3D50", depth=50, attention="none"),
    Row("Res3D101", depth=101, attention="none"),
    Row("Res3D18 + SCA"),
    Row("Res3D50 + SCA", depth=50),
    Row("Res3D101 + SCA", depth=101),
)
ABLATION = (
    Row("Baseline", attention="none"),
    Row("Baseline + SA", attention="SA"),
    Row("Baseline + CA", attention="CA"),
    Row("Baseline + SCA_Max", attention="max"),
    Row("Baseline + SCA_Avg", attention="avg"),
    Row("Baseline + SCA_Concat", attention="concat"),
    Row("Baseline + SCA_Learn"),
    Row("Baseline + SCA_Learn by rows (ours)", attention="rows"),
)
CORPORA = (("CASME II", "casme2-au8"), ("CASME", "casme-au4"), ("SAMM", "samm-au4"))
F1, MACRO, ACCURACY = "f1_binary", "f1_macro", "accuracy"


def table(number: int, metric: str = F1, suffix: str = "", what: str = "F1 of “present”") -> Table:
    """Table `number` as printed, or by another metric."""
    corpus, task = CORPORA[(number - 1) % 3]
    title = f"Table {number}: {'methods' if number < 4 else 'ablation'} on {corpus}, {what}"
    return Table(f"table{number}{suffix}", title, columns(task, metric), METHODS if number < 4 else ABLATION)


TABLES = (
    *(table(n) for n in range(1, 7)),
    *(table(n, MACRO, "-macro", "mean F1 of “present” and “absent” (ours)") for n in range(1, 7)),
    *(table(n, ACCURACY, "-accuracy", "accuracy (ours)") for n in range(1, 7)),
    Table(
        "figure5",
        "Figure 5: average accuracy",
        tuple(Column(f"{corpus} accuracy", task, ACCURACY) for corpus, task in CORPORA),
        METHODS[4:],
    ),
)

PAPER = Paper(
    name="sca_au",
    title="SCA",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    headline=tuple(
        f"table1{metric}/{row}" for metric in ("", "-macro", "-accuracy") for row in ("Res3D18", "Res3D18 + SCA")
    ),
    rule="val",  # Sec. 4.2 has a validation fold
    load=data.load,
    train=train.train,
    apply=train.apply,
    figures=figures.figures,
    files=files,
    remarks=remarks,
)
