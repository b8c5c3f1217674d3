"""Settings and tables of the paper: a line a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.runs.config import Precision
from shared.runs.paper import Column, Paper, Row, Table

from . import data, figures, train
from .losses import is_release
from .model import weights_file


@dataclass(frozen=True)
class Config:
    follow: Literal["paper", "release"] = "paper"  # where the released codes differ from the equations
    init: Literal["imagenet", "random"] = "imagenet"  # Sec. IV-C
    resize: int = 240  # Sec. IV-C
    size: int = 224  # Sec. IV-C: random crops
    flip: bool = True  # half of the images; not in the paper: released code
    ratio: float = 30.0  # of the magnification (Sec. IV-C); 1 is off; not in the paper: a gain of 30, not of 1 + 30
    lambda_c: float = 8.0  # pixels; not in the paper: finer structure is magnified less
    width: int = 64  # ResNets (Fig. 2)
    # the student
    views: int = 2  # 1 in the rows without "DV"
    depth: int = 18  # Fig. 2
    method: Literal["none", "fine-tune", "Fit", "AT", "SP", "ASP"] = "ASP"
    lambda_mv: float = 100.0  # Sec. IV-C
    alpha: float = 100.0  # of L_asp (Sec. IV-C); follow="release": of every method
    alpha_fit: float = 100.0  # not in the paper: the usual value
    alpha_at: float = 1000.0  # not in the paper: the usual value
    alpha_sp: float = 3000.0  # not in the paper: the usual value
    epochs: int = 80  # released code
    drop: int = 40  # epochs at the first learning rate (Sec. IV-C), then a tenth of it (released code)
    batch: int = 56  # released code
    lr: float = 0.01  # Sec. IV-C
    momentum: float = 0.9  # released code
    # the teacher
    teacher: str = ""  # a file that holds one, in the folder of --weights or as a path; "": it is trained on EmotioNet
    teacher_depth: int = 34  # Fig. 2
    teacher_lambda_mv: float = 400.0  # Sec. IV-C
    lambda_cr: float = 100.0  # Sec. IV-C
    cr_on: Literal["unlabelled", "all"] = "unlabelled"  # Eq. (2); follow="release": all
    selective: Literal["release", "original"] = "release"  # a_c of Eq. (1): only cited
    unlabelled: int = 50_000  # images without labels; released code, the paper has about a million
    unlabelled_each: int = 3  # beside each labelled image of a batch; not in the paper
    teacher_epochs: int = 30  # released code
    teacher_batch: int = 16  # labelled images; not in the paper: released code 10, 16 splits over eight processes
    teacher_lr: float = 1e-3  # Sec. IV-C
    # of the machine, not in the paper
    precision: Precision = "float32"
    compile: bool = False  # networks by torch.compile

    @property
    def weight(self) -> float:
        """α of Eq. (16), or of the method in the place of ASP."""
        if is_release(self.follow):
            return self.alpha
        return {"Fit": self.alpha_fit, "AT": self.alpha_at, "SP": self.alpha_sp}.get(self.method, self.alpha)


# L_asp and L_sp go with 1 / batch: their weights here are 8/56 of the usual ones. From random weights the views
# have to learn before they agree, hence the small lambda_cr.
SMOKE = dict(
    init="random",
    resize=72,
    size=64,
    width=16,
    epochs=40,
    drop=30,
    batch=8,
    alpha=14.0,
    alpha_sp=430.0,
    lambda_cr=2.0,
    unlabelled_each=1,
    teacher_epochs=24,
    teacher_batch=8,
)

PRETRAINING = (
    "follow",
    "init",
    "resize",
    "size",
    "flip",
    "width",
    "views",
    "teacher_depth",
    "teacher_epochs",
    "teacher_batch",
    "teacher_lr",
    "selective",
    "precision",
    "compile",
)
CO_TRAINING = ("teacher_lambda_mv", "lambda_cr", "cr_on", "unlabelled", "unlabelled_each")


def pretraining(config: Config, task) -> dict | None:
    """What the teacher depends on: never on the target task. A student without one, or of a file, needs none."""
    if config.method == "none" or config.teacher:
        return None
    return {"corpora": ("EmotioNet",), **{name: getattr(config, name) for name in PRETRAINING + CO_TRAINING}}


def files(config: Config) -> tuple[str, ...]:
    """The published files that the networks start from, by name."""
    depths = {config.depth}
    if config.method != "none" and not config.teacher:
        depths.add(config.teacher_depth)
    imagenet = tuple(map(weights_file, sorted(depths))) if config.init == "imagenet" else ()
    return imagenet + ((config.teacher,) if config.method != "none" and config.teacher else ())


def remarks(config: Config, history=None, records=()) -> list[str]:
    """What the networks started from, and how good the teacher is: one that learnt nothing teaches nothing."""
    start = ", ".join(name for name in files(config) if name != config.teacher)
    first = f"ImageNet's ({start} of torchvision)" if start else "random, not ImageNet's"
    if config.method == "none":
        return [f"weights: {first}"]
    origin = "pre-trained here on EmotioNet"
    if config.teacher:
        view = "" if config.views == 2 else ", of its first view (net1, or trunks.0) alone, co-trained or not"
        origin = f"of {config.teacher}{view}; its F1 is not known here"
    then = f"; {'then' if config.method == 'fine-tune' else 'taught by'} the teacher {origin}"
    lines = [f"weights: {first}{then}"]
    if history:
        f1, constant = history[-1][train.HELD_OUT], history[-1][train.CONSTANT]
        dead = "; it has learnt nothing" if f1 <= constant else ""
        views = "two views" if config.views == 2 else "one view"
        lines.append(
            f"teacher of {views}: macro F1 {f1:.3f} on held-out images of EmotioNet, all absent {constant:.3f}{dead}"
        )
    return lines


def columns(task: str, *aus: int) -> tuple[Column, ...]:
    """Macro F1 of each AU and their mean, as printed; then binary F1 and accuracy, which the paper does not print."""
    return (
        *(Column(f"AU{au}", task, "f1_macro", au=au) for au in aus),
        Column("AVG", task, "f1_macro"),
        Column("AVG binary F1 (ours)", task, "f1_binary"),
        Column("AVG accuracy (ours)", task, "accuracy"),
    )


CASME2 = columns("casme2-au8", 1, 2, 4, 7, 12, 14, 15, 17)
SAMM = columns("samm-au4", 2, 4, 7, 12)


def methods(sca: str) -> tuple[Row, ...]:
    """The rows of Tables II and III; that of SCA is read from the records of `sca`."""
    return (
        Row("Baseline", views=1, method="none"),
        Row("Res34", views=1, method="none", depth=34),
        Row("Fit-18", views=1, method="Fit"),
        Row("Fit-34", views=1, method="Fit", depth=34),
        Row("SP-18", views=1, method="SP"),
        Row("SP-34", views=1, method="SP", depth=34),
        Row("AT-18", views=1, method="AT"),
        Row("AT-34", views=1, method="AT", depth=34),
        Row("SCA", records=sca),
        Row("DVFT", method="fine-tune", depth=34),
        Row("ASP-18", views=1),
        Row("ASP-34", views=1, depth=34),
        Row("DVASP-18"),
        Row("DVASP-34", depth=34),
    )


TABLES = (
    Table(
        "table1",
        "Table I: ablation study on CASME II",
        CASME2,
        (Row("Lv", method="none", lambda_mv=0.0), Row("Lv+Lmv", method="none"), Row("Lv+Lmv+Lasp")),
    ),
    Table("table2", "Table II: CASME II", CASME2, methods("sca_au/table1/Res3D18 + SCA")),
    Table("table3", "Table III: SAMM", SAMM, methods("sca_au/table3/Res3D18 + SCA")),
    Table(
        "table4",
        "Table IV: the effect of co-training, on CASME II",
        CASME2,
        (
            Row("Fit-18", views=1, method="Fit"),
            Row("DV+Fit-18", method="Fit"),
            Row("SP-18", views=1, method="SP"),
            Row("DV+SP-18", method="SP"),
            Row("AT-18", views=1, method="AT"),
            Row("DV+AT-18", method="AT"),
            Row("ASP-18", views=1),
            Row("DV+ASP-18"),
        ),
    ),
)

PAPER = Paper(
    name="dvasp",
    title="DVASP",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    headline=("table1",),
    rule="last",  # released code
    load=data.load,
    used=data.used,
    train=train.train,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=data.pretraining_data,
    pretrain=train.pretrain,
    figures=figures.figures,
    files=files,
    remarks=remarks,
)
