"""The paper's tables, one line per row, and the functions that run them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.runs.config import pretraining_settings
from shared.runs.fold import History, Record
from shared.runs.paper import Claim, Column, Method, Paper, Row, Table
from shared.tasks import Task

from . import data, figures, train
from .config import PUBLISHED, SMOKE, Config
from .data import CASME2_FIVE


def pretraining(config: Config, task: Task) -> dict[str, Any] | None:
    """The settings of the pre-trained weights: never the target task, nor the number of temporal domains."""
    return {"corpora": data.MACRO.corpora, **pretraining_settings(config)} if config.pretrained else None


def files(config: Config) -> tuple[str, ...]:
    """The names of the published files that the networks start from."""
    used = {"SKD-TSTSAN": (config.start, config.magnifier), "CapsuleNet": (config.trunk,)}.get(config.method, ())
    return tuple(name for name in used if name != "random")


def remarks(config: Config, history: History = (), records: Sequence[Record] = ()) -> list[str]:
    """What the networks started from and, of the baselines, what may differ from the paper."""
    if config.method != "SKD-TSTSAN":
        (file,) = files(config) or ("",)
        said = [f"weights: those of ImageNet in {file} in the trunk, all else random" if file else "weights: random"]
        said += ["training: as in the method's own code, without CK+; how the paper's authors trained it is not known"]
        if config.method == "CapsuleNet":
            said += ["input: test frames are rotated at random, up to 8° either way, as in the released code"]
        return said
    first = "random"
    if config.start != "random":
        first = f"those of the released network in {config.start}, last linear layers random"
    if config.magnifier != "random":
        first = f"those of the released magnifier in {config.magnifier}, all else random"
    return [f"weights: {first}{f'; pre-trained here on {data.MACRO.corpora[0]}' if config.pretrained else ''}"]


def both(title: str, task: str, **kind: Any) -> tuple[Column, Column]:
    """UF1 and UAR (Eqs. 11 and 12) of a task in per cent; the printed names of their columns begin with `title`."""
    names = f"{title} UF1 (%)".strip(), f"{title} UAR (%)".strip()
    return Column(names[0], task, "uf1", 100, **kind), Column(names[1], task, "uar", 100, **kind)


COMPOSITE = (
    *both("Full", "cde-3"),
    *both("CASME II", "cde-3", corpus="CASME2"),
    *both("SAMM", "cde-3", corpus="SAMM"),
    *both("SMIC", "cde-3", corpus="SMIC"),
)
MMEW = (*both("6 classes", "mmew-6-others"), *both("4 classes", "mmew-4"))
LARGE = {"batch": 32}  # on CAS(ME)³ (Sec. 4.2)
CASME3 = (
    *both("3 classes", "casme3-3", changes=LARGE),
    *both("4 classes", "casme3-4", changes=LARGE),
    *both("7 classes", "casme3-7", changes=LARGE),
)
EVERY = (
    *both("Full, 3 classes", "cde-3"),
    *both("CASME II, 3 classes", "cde-3", corpus="CASME2"),
    *both("SAMM, 3 classes", "cde-3", corpus="SAMM"),
    *both("SMIC, 3 classes", "cde-3", corpus="SMIC"),
    *both("CASME II, 5 classes", CASME2_FIVE),
    *both("MMEW, 6 classes", "mmew-6-others"),
    *both("MMEW, 4 classes", "mmew-4"),
    *both("CAS(ME)³, 3 classes", "casme3-3", changes=LARGE),
    *both("CAS(ME)³, 4 classes", "casme3-4", changes=LARGE),
    *both("CAS(ME)³, 7 classes", "casme3-7", changes=LARGE),
)
PLAIN: dict[str, Any] = dict(mag=False, eca=False, tsm=False, skd=False)
OURS = Row("SKD-TSTSAN (ours)", method="SKD-TSTSAN")
TSCNN: dict[str, Any] = dict(modified=False, **PLAIN)  # its layers as Sec. 4.5.1 implies them
ADAM: dict[str, Any] = dict(betas=(0.9, 0.999))  # torch's default; all else below is from their released code
STSTNET: dict[str, Any] = dict(method="STSTNet", lr=5e-5, weight_decay=0.0, batch=256, **ADAM)
CAPSULENET: dict[str, Any] = dict(method="CapsuleNet", lr=1e-4, weight_decay=0.0, batch=32, **ADAM)
MMNET: dict[str, Any] = dict(method="MMNet", lr=8e-4, weight_decay=0.6, batch=32, **ADAM)

TABLES = (
    Table("table1", "Table 1: the composite task", COMPOSITE, (OURS,)),
    Table("table2", "Table 2: CASME II, five classes", both("", CASME2_FIVE), (OURS,)),
    Table(
        "table3",
        "Table 3: MMEW",
        MMEW,
        (
            Row("CapsuleNet (Van Quang et al., 2019)", **CAPSULENET),
            Row("MMNet (Li et al., 2022a)", tasks=("mmew-6-others",), **MMNET),  # cited in four classes
            Row("STSTNet (Liong et al., 2019)", **STSTNET),
            Row("TSCNN (Song et al., 2019)", **TSCNN),
            OURS,
        ),
    ),
    Table("table4", "Table 4: CAS(ME)³", CASME3, (OURS,)),
    Table(
        "table5",
        "Table 5: ablation",
        (*both("CASME II", CASME2_FIVE), *both("MMEW", "mmew-6-others")),
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
        both("", CASME2_FIVE),
        (Row("2 temporal domains"), Row("5 temporal domains", domains=5), Row("10 temporal domains", domains=10)),
    ),
    Table(
        "table7",
        "Table 7: classifiers",
        EVERY,
        (
            Row("Classifier 1/3", output="AC1", method="SKD-TSTSAN", skd=True),
            Row("Classifier 2/3", output="AC2", method="SKD-TSTSAN", skd=True),
            Row("Classifier 3/3", method="SKD-TSTSAN", skd=True),
        ),
    ),
    Table(
        "figure7",
        "Figure 7: efficient channel attention, CASME II in three classes",
        both("CASME II", "cde-3", corpus="CASME2"),
        (Row("with ECA"), Row("without ECA", eca=False)),
    ),
    Table(
        "figure9a",
        "Figure 9(a): transfer from CK+",
        (*both("CASME II", CASME2_FIVE), *both("SAMM", "cde-3", corpus="SAMM")),
        (Row("without TL", pretrain="false", start="random"), Row("with TL")),
    ),
    Table(
        "figure9b",
        "Figure 9(b): amplification factor (factors but 2 ours)",
        (*both("SAMM", "cde-3", corpus="SAMM"), *both("MMEW", "mmew-6-others")),
        (
            Row("AF 1", alpha=1.0),
            Row("AF 2", alpha=2.0),
            Row("AF 3", alpha=3.0),
            Row("AF 4", alpha=4.0),
            Row("AF 5", alpha=5.0),
        ),
    ),
    Table(
        "baselines",
        "The baselines of Table 3 on CASME II and the composite task (ours)",
        (*both("CASME II, 5 classes (ours)", CASME2_FIVE), *both("Full, 3 classes", "cde-3")),
        (
            Row("CapsuleNet (ours)", **CAPSULENET),
            Row("MMNet (ours)", **MMNET),
            Row("STSTNet (ours)", **STSTNET),
            Row("TSCNN (ours)", **TSCNN),
        ),
    ),
)

PRINTED = "CASME II in five classes, SAMM, MMEW, CAS(ME)³, the composite task"
ON_CASME3 = dict.fromkeys(("casme3-3", "casme3-4", "casme3-7"), LARGE)
COMPARISON = {
    "emotion": (
        Method(Row("TSCNN", **TSCNN), tuned=f"{PRINTED} (those of SKD-TSTSAN)", by_task=ON_CASME3),
        Method(Row("STSTNet", **STSTNET), tuned="the composite task (its released code)"),
        Method(Row("CapsuleNet", **CAPSULENET), tuned="the composite task (its released code)"),
        Method(Row("MMNet", **MMNET), tuned="CASME II in five classes (its released code)"),
        Method(Row("SKD-TSTSAN"), tuned=PRINTED, by_task=ON_CASME3),
    )
}
CLAIM = Claim("Mag, ECA, TSM and SKD", Row("SKD-TSTSAN"), Row("baseline", **PLAIN), "casme2-5-halves", "uf1")

PAPER = Paper(
    name="skd_tstsan",
    title="SKD-TSTSAN",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    comparison=COMPARISON,
    claim=CLAIM,
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
    published=PUBLISHED,
    remarks=remarks,
)
