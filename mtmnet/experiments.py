"""Settings and tables of the paper: a line a row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import UserError
from shared.runs.config import Precision
from shared.runs.paper import Column, Paper, Row, Table

from . import data, figures, train
from .losses import Norm, Per
from .model import STRIDE


@dataclass(frozen=True)
class Config:
    image: int = 224  # Sec. 4.1
    frames: int = 5  # centred at the apex (Sec. 4.1)
    magnify: float = 1.0  # of micro-expressions' x_E − x_N before E; not in the paper: makes up for missing weights
    macro_frames: int = 3  # at the peak; not in the paper
    macro: str = "CK+"  # the macro-expressions; others in Tables 2 and 3, "none" where nothing guides
    width: int = 64  # ResNet-18 (Sec. 4.1)
    imagenet: str = "resnet18-f37072fd.pth"  # the encoder's start, or "none": random; not in the paper
    batch: int = 32  # not in the paper
    # first stage: EIDNets (Sec. 3.1)
    pretrain: Literal["eid", "classification", "none"] = "eid"  # MicroNet's; MacroNet's "none" is classification
    pretrain_epochs: int = 20  # MicroNet's, Sec. 4.1
    macro_epochs: int = 20  # MacroNet's; not in the paper: as MicroNet's
    lambda_rec: float = 0.1  # λ_{1,1}, Sec. 4.1
    lambda_sim: float = 0.1  # λ_{1,2}, Sec. 4.1
    lambda_s: float = 0.1  # λ_{1,3}, Sec. 4.1
    norm: Norm = "mean_square"  # of Eq. (1), (2); not in the paper: "euclidean" is as printed
    reversal: bool = False  # one backward pass for both players of Eq. (5); not in the paper: in turns
    steps_D_s: int = 1  # of D_s before each of E; not in the paper
    pretrain_lr_E: float = 1e-4  # Sec. 4.1; of Adam, which is not in the paper
    pretrain_lr_classifiers: float = 1e-4  # D_e and D_s, Sec. 4.1
    pretrain_lr_D_r: float = 1e-5  # Sec. 4.1
    # second stage: MTMNet (Sec. 3.2)
    epochs: int = 20  # Sec. 4.1
    shift: int = 0  # pixels that its training images move at most; not in the paper
    lambda_tri: float = 1e-3  # λ_{2,1}, Sec. 4.1
    lambda_adv: float = 1e-3  # λ_{2,2}, Sec. 4.1
    lambda_lir: float = 1e-3  # λ_{2,3}, Sec. 4.1
    margin: float = 1.0  # m of Eq. (6); not in the paper
    normalise: bool = False  # embeddings of Eq. (6) to length 1; not in the paper
    per: Per = "batch"  # Eq. (11) compares means over the batch, or "sample" by sample; not in the paper
    guided_batch: bool = False  # of a row whose λ are all 0; not in the paper: a control
    lr_E: float = 1e-5  # Sec. 4.1
    lr_D: float = 1e-5  # Sec. 4.1
    lr_D_e: float = 1e-5  # Sec. 4.1
    # of the machine, not in the paper
    precision: Precision = "float32"
    compile: bool = False  # networks by torch.compile

    def __post_init__(self):
        if not (self.lambda_tri or self.lambda_adv or self.lambda_lir or self.guided_batch):
            object.__setattr__(self, "macro", "none")  # one experiment in all columns
        if self.image < STRIDE or self.image % STRIDE:
            raise UserError(f"image={self.image}: expected a multiple of {STRIDE}, by which the encoder divides sides")
        ones = ("frames", "macro_frames", "width", "pretrain_epochs", "macro_epochs", "steps_D_s", "epochs")
        for name, least in {**dict.fromkeys(ones, 1), "batch": 2, "shift": 0}.items():
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)}: expected {least} or more")
        if not self.magnify > 0:
            raise UserError(f"magnify={self.magnify}: expected a positive factor; 1 shows images as they are")


SMOKE = dict(
    image=128,
    frames=5,
    magnify=5.0,
    macro_frames=3,
    width=16,
    imagenet="none",
    batch=8,
    norm="euclidean",
    pretrain_epochs=8,
    macro_epochs=20,
    pretrain_lr_E=1e-3,
    pretrain_lr_classifiers=1e-3,
    pretrain_lr_D_r=2e-3,
    epochs=6,
    shift=3,
    lr_E=1e-3,
    lr_D=1e-3,
    lr_D_e=1e-3,
)

PRETRAINING = (
    "image",
    "macro_frames",
    "width",
    "imagenet",
    "batch",
    "macro_epochs",
    "pretrain_lr_E",
    "pretrain_lr_classifiers",
    "precision",
    "compile",
)
GAME = ("lambda_rec", "lambda_sim", "lambda_s", "norm", "reversal", "steps_D_s", "pretrain_lr_D_r")  # of L_EID alone


def pretraining(config: Config, task) -> dict | None:
    """What a MacroNet depends on: never on the micro-expressions, but for their classes."""
    if config.macro == "none":
        return None
    eid = config.pretrain == "eid"
    settings = {name: getattr(config, name) for name in PRETRAINING + GAME * eid}
    settings["pretrain"] = "eid" if eid else "classification"
    return {"corpora": (config.macro,), "labels": data.LABELS[task.name], **settings}


def files(config: Config) -> tuple[str, ...]:
    """The published files that the networks start from, by name."""
    return () if config.imagenet == "none" else (config.imagenet,)


def remarks(config: Config, history=None, records=()) -> list[str]:
    """What the networks started from, what is done to the images that the paper does not do, and how much of the
    gradient on E is each term's."""
    first = "random, not ImageNet's" if config.imagenet == "none" else f"ImageNet's ({config.imagenet} of torchvision)"
    guide = "" if config.macro == "none" else f"; MacroNet pre-trained here on {config.macro}"
    magnified = f"input: x_E of micro-expressions is x_N + {config.magnify:g} (x_E − x_N), in training and at test"
    shifted = f"training: the images of the second stage are shifted by up to {config.shift} pixels"
    ours = [magnified] * (config.magnify != 1) + [shifted] * (config.shift > 0)
    return [f"weights: {first}{guide}", *(f"{line}, which the paper does not do" for line in ours), *shares(records)]


def shares(records) -> list[str]:
    """The share of each term in the gradient norms on E: the mean over the epochs of all folds, one batch each."""
    norms = [epoch for record in records for epoch in record["figures"].get("gradients", ())]
    if not norms:
        return []
    means = {name: sum(n[name] / sum(n.values()) for n in norms) / len(norms) for name in norms[0]}
    terms = ", ".join(f"{name} {value:.2g}" for name, value in means.items())
    task, macro = records[0]["task"], records[0]["config"]["macro"]
    return [f"shares of the terms in the gradient norms on E, {task} with {macro}: {terms}"]


SEPARATE = {"CASME2": "casme2-5-2019", "SMIC": "smic-3", "SAMM": "samm-7"}
ACC_F1 = {"Acc": "accuracy", "F1": "uf1"}  # which F1 is not in the paper: the mean over classes
UF1_UAR = {"UF1": "uf1", "UAR": "uar"}

TABLE2 = tuple(
    Column(f"{micro}({macro}) {name}", task, metric, changes={"macro": corpus})
    for macro, corpus in (("CK+", "CK+"), ("MMI", "MMI"), ("Oulu", "Oulu-CASIA"))
    for micro, task in SEPARATE.items()
    for name, metric in ACC_F1.items()
)
TABLE3 = tuple(
    Column(f"{macro} {name}", "cde-3", metric, changes={"macro": macro})
    for macro in ("CK+", "MMI", "Oulu-CASIA")
    for name, metric in UF1_UAR.items()
)
TABLE4 = tuple(  # each with the macro corpus that is best in Table 2
    Column(f"{micro} {name}", SEPARATE[micro], metric, changes={"macro": macro})
    for micro, macro in (("CASME2", "Oulu-CASIA"), ("SMIC", "MMI"), ("SAMM", "CK+"))
    for name, metric in ACC_F1.items()
)
TABLE5 = tuple(  # the macro corpus is not in the paper: MMI's row of Table 3 is nearest
    Column(f"{part} {name}", "cde-3", metric, corpus=None if part == "Full" else part, changes={"macro": "MMI"})
    for part in ("Full", "SMIC", "CASME2", "SAMM")
    for name, metric in UF1_UAR.items()
)

NO_TERM = dict(lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0, guided_batch=True)
ROWS = (
    Row("L_cls", pretrain="none", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0),
    Row("L_cls, guided batch (ours)", pretrain="none", **NO_TERM),
    Row("L_cls + L_tri", pretrain="none", lambda_adv=0.0, lambda_lir=0.0),
    Row("L_cls + L_adv", pretrain="none", lambda_tri=0.0, lambda_lir=0.0),
    Row("L_cls + L_tri + L_adv", pretrain="none", lambda_lir=0.0),
    Row("L_cls + L_LIR", pretrain="none", lambda_tri=0.0, lambda_adv=0.0),
    Row("L_MTM", pretrain="none"),
    Row("L_EID, L_cls, guided batch (ours)", **NO_TERM),
    Row("L_EID, L_cls + L_tri", lambda_adv=0.0, lambda_lir=0.0),
    Row("L_EID, L_cls + L_adv", lambda_tri=0.0, lambda_lir=0.0),
    Row("L_EID, L_cls + L_tri + L_adv", lambda_lir=0.0),
    Row("L_EID, L_cls + L_LIR", lambda_tri=0.0, lambda_adv=0.0),
    Row("L_EID, L_MTM"),
)

TABLES = (
    Table("table2", "Table 2: losses, on separate corpora", TABLE2, ROWS),
    Table("table3", "Table 3: losses, on the composite task", TABLE3, ROWS),
    Table("table4", "Table 4: state of the art, on separate corpora", TABLE4, (Row("ours"),)),
    Table("table5", "Table 5: state of the art, on the composite task", TABLE5, (Row("ours"),)),
)

PAPER = Paper(
    name="mtmnet",
    title="MTMNet",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    headline=("table2/L_cls@CASME2(CK+)", "table2/L_EID, L_MTM@CASME2(CK+)"),
    rule="last",  # "trained with total 20 epochs" (Sec. 4.1)
    load=data.load,
    train=train.train,
    apply=train.apply,
    pretraining=pretraining,
    pretraining_data=data.pretraining_data,
    pretrain=train.pretrain,
    figures=figures.figures,
    files=files,
    remarks=remarks,
)
