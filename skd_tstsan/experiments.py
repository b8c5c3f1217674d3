"""Settings and tables of the paper: a line a row."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shared.errors import UserError
from shared.runs.config import Precision
from shared.runs.paper import Column, Paper, Row, Table

from . import data, figures, train
from .data import CASME2_FIVE


@dataclass(frozen=True)
class Config:
    follow: Literal["release", "paper"] = "release"  # where they differ; the released weights fit "release"
    face: int = 128  # Sec. 4.2
    size: int = 48  # Sec. 4.2
    width: int = 64  # channels of conv1 (released code)
    mag: bool = True  # Sec. 3.1 (Table 5)
    eca: bool = True  # Sec. 3.2 (Table 5)
    tsm: bool = True  # Sec. 3.3 (Table 5)
    skd: bool = True  # Sec. 3.4 (Table 5)
    modified: bool = True  # Sec. 4.5.1; False: the layers of TSCNN (Table 3)
    domains: int = 2  # temporal domains; others in Table 6
    alpha: float = 2.0  # amplification factor, Sec. 4.2; others in Fig. 9(b)
    dropout: float = 0.2  # released code
    start: str = "none"  # or a file of the released network
    magnifier: str = "none"  # or a file of the released magnifier
    # the loss
    lambda_1: float = 0.1  # Sec. 4.2
    lambda_2: float = 1e-6  # Sec. 4.2
    T: float = 3.0  # Sec. 4.2
    gamma: float = 2.0  # Sec. 4.2
    # training, the same in both stages
    lr: float = 1e-3  # of Adam, Sec. 4.2; constant (released code)
    betas: tuple[float, float] = (0.9, 0.99)  # Sec. 4.2
    weight_decay: float = 5e-4  # Sec. 4.2
    batch: int = 16  # Sec. 4.2; 32 on CAS(ME)³
    pretrain: Literal["auto", "true", "false"] = "auto"  # on CK+ (Fig. 9(a)); auto: unless there is a `start`
    pretrain_batch: int = 16  # Sec. 4.2
    pretrain_iterations: int = 10_000  # Sec. 4.2
    iterations: int = 20_000  # Sec. 4.2
    # of the machine, not in the paper
    precision: Precision = "float32"
    compile: bool = False  # networks by torch.compile

    def __post_init__(self):
        if not self.tsm and self.domains != 2:
            raise UserError("without TSM the flows are one input, of two temporal domains: set domains=2")
        parts = {
            "Mag": self.mag,
            "TSM": self.tsm,
            "batch norm (modified)": self.modified,
            "the released g of 7×7 (follow=release)": self.follow == "release",
        }
        if self.start != "none" and (without := [name for name, there in parts.items() if not there]):
            raise UserError(
                f"a row without {', '.join(without)} cannot take the released network in start={self.start}: choose "
                "rows that have all of it, or --set start=none"
            )
        if self.magnifier != "none" and (self.start != "none" or not self.mag):
            where = f"start={self.start} brings one" if self.mag else "a row without Mag has no place for one"
            raise UserError(f"magnifier={self.magnifier} is not used: {where}; --set magnifier=none")

    @property
    def pretrained(self) -> bool:
        """Whether training on CK+ comes first. The released network has had it."""
        return self.pretrain == "true" or (self.pretrain == "auto" and self.start == "none")


SMOKE = dict(face=64, size=24, width=16, pretrain_iterations=100, iterations=150)

PRETRAINING = (
    "follow",
    "face",
    "size",
    "width",
    "mag",
    "eca",
    "tsm",
    "skd",
    "modified",
    "alpha",
    "dropout",
    "start",
    "magnifier",
    "lambda_1",
    "lambda_2",
    "T",
    "gamma",
    "lr",
    "betas",
    "weight_decay",
    "pretrain_batch",
    "pretrain_iterations",
    "precision",
    "compile",
)


def pretraining(config: Config, task) -> dict | None:
    """What the pre-trained weights depend on: never on the target task, nor on the number of temporal domains."""
    if not config.pretrained:
        return None
    return {"corpora": data.MACRO.corpora, **{name: getattr(config, name) for name in PRETRAINING}}


def files(config: Config) -> tuple[str, ...]:
    """The published files that the networks start from, by name."""
    return tuple(name for name in (config.start, config.magnifier) if name != "none")


def remarks(config: Config, history=None, records=()) -> list[str]:
    """What the networks started from."""
    first = "random"
    if config.start != "none":
        first = f"those of the released network in {config.start}, last linear layers random"
    if config.magnifier != "none":
        first = f"those of the released magnifier in {config.magnifier}, all else random"
    return [f"weights: {first}{f'; pre-trained here on {data.MACRO.corpora[0]}' if config.pretrained else ''}"]


def columns(title: str, task: str, **kind) -> tuple[Column, Column]:
    """UF1 and UAR (Eqs. 11 and 12) of a task in per cent; `title` is what the printed columns begin with."""
    return tuple(Column(f"{title}{m.upper()} (%)", task, m, 100, **kind) for m in ("uf1", "uar"))


COMPOSITE = tuple(
    c
    for title, corpus in (("Full", None), ("CASME II", "CASME2"), ("SAMM", "SAMM"), ("SMIC", "SMIC"))
    for c in columns(f"{title} ", "cde-3", corpus=corpus)
)
MMEW = tuple(c for k, task in ((6, "mmew-6-others"), (4, "mmew-4")) for c in columns(f"{k} classes ", task))
CASME3 = tuple(c for k in (3, 4, 7) for c in columns(f"{k} classes ", f"casme3-{k}", changes={"batch": 32}))
EVERY = (
    *(replace(c, name=c.name[:-8] + ", 3 classes" + c.name[-8:]) for c in COMPOSITE),
    *columns("CASME II, 5 classes ", CASME2_FIVE),
    *(replace(c, name=f"MMEW, {c.name}") for c in MMEW),
    *(replace(c, name=f"CAS(ME)³, {c.name}") for c in CASME3),
)
PLAIN = dict(mag=False, eca=False, tsm=False, skd=False)
OURS = Row("SKD-TSTSAN (ours)")

TABLES = (
    Table("table1", "Table 1: the composite task", COMPOSITE, (OURS,)),
    Table("table2", "Table 2: CASME II, five classes", columns("", CASME2_FIVE), (OURS,)),
    Table(
        "table3",
        "Table 3: MMEW",
        MMEW,
        (Row("TSCNN (Song et al., 2019)", modified=False, **PLAIN), OURS),
        absent=("CapsuleNet (Van Quang et al., 2019)", "MMNet (Li et al., 2022a)", "STSTNet (Liong et al., 2019)"),
    ),
    Table("table4", "Table 4: CAS(ME)³", CASME3, (OURS,)),
    Table(
        "table5",
        "Table 5: ablation",
        columns("CASME II ", CASME2_FIVE) + columns("MMEW ", "mmew-6-others"),
        (
            Row("baseline", **PLAIN),
            Row("Mag", eca=False, tsm=False, skd=False),
            Row("ECA", mag=False, tsm=False, skd=False),
            Row("TSM", mag=False, eca=False, skd=False),
            Row("Mag + ECA", tsm=False, skd=False),
            Row("Mag + TSM", eca=False, skd=False),
            Row("Mag + ECA + TSM", skd=False),
            Row("Mag + ECA + TSM + SKD"),
        ),
    ),
    Table(
        "table6",
        "Table 6: temporal domains, CASME II",
        columns("", CASME2_FIVE),
        (Row("2 temporal domains"), Row("5 temporal domains", domains=5), Row("10 temporal domains", domains=10)),
    ),
    Table(
        "table7",
        "Table 7: classifiers",
        EVERY,
        (Row("Classifier 1/3", output="AC1"), Row("Classifier 2/3", output="AC2"), Row("Classifier 3/3")),
    ),
    Table(
        "figure7",
        "Figure 7: efficient channel attention, CASME II",
        columns("CASME II ", CASME2_FIVE),
        (Row("with ECA"), Row("without ECA", eca=False)),
    ),
    Table(
        "figure9a",
        "Figure 9(a): transfer from CK+",
        columns("CASME II ", CASME2_FIVE) + columns("SAMM ", "samm-3"),
        (Row("without TL", pretrain="false", start="none"), Row("with TL")),
    ),
    Table(
        "figure9b",
        "Figure 9(b): amplification factor (factors but 2 ours)",
        columns("SAMM ", "samm-3") + columns("MMEW ", "mmew-6-others"),
        tuple(Row(f"AF {alpha}", alpha=float(alpha)) for alpha in (1, 2, 3, 4, 5)),
    ),
)

PAPER = Paper(
    name="skd_tstsan",
    title="SKD-TSTSAN",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    headline=("table5/baseline@CASME II", "table5/Mag + ECA + TSM + SKD@CASME II"),
    rule="best_on_test",  # the "early stopping" of Sec. 4.2, in the released code; "last" stands beside it
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
