"""The paper's tables, one line per row, and the functions that run them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.runs.config import pretraining_settings
from shared.runs.fold import History, Record
from shared.runs.paper import Claim, Column, Method, Paper, Row, Table
from shared.tasks import Task

from . import data, figures, train
from .config import IMAGENET, PUBLISHED, SMOKE, Config


def pretraining(config: Config, task: Task) -> dict[str, Any] | None:
    """The settings of the teacher, never of the target task; None without a teacher, or with one from a file."""
    if config.method == "none" or config.teacher:
        return None
    return {"corpora": ("EmotioNet",), **pretraining_settings(config)}


def teacher_files(config: Config) -> tuple[str, ...]:
    """The names of the published files that a teacher starts from, which is trained here."""
    return (IMAGENET[config.teacher_depth].name,) if config.start == "imagenet" else ()


def files(config: Config) -> tuple[str, ...]:
    """The names of the published files that the networks start from."""
    depths = []
    if config.method != "fine-tune":  # which starts from the teacher
        depths.append(config.depth)
    if config.method != "none" and not config.teacher:
        depths.append(config.teacher_depth)
    names = [IMAGENET[depth].name for depth in sorted(set(depths))] if config.start == "imagenet" else []
    if config.method != "none" and config.teacher:
        names.append(config.teacher)
    return tuple(names)


def remarks(config: Config, history: History = (), records: Sequence[Record] = ()) -> list[str]:
    """The initial weights, and how good the teacher is: one that learned nothing teaches nothing."""
    start = ", ".join(name for name in files(config) if name != config.teacher)
    first = f"ImageNet's ({start} of torchvision)" if start else "random, not ImageNet's"
    if config.method == "none":
        return [f"weights: {first}"]
    origin = "pre-trained here on EmotioNet"
    if config.teacher:
        view = "" if config.views == 2 else ", its first view alone (net1, or trunks.0), co-trained or not"
        origin = f"from {config.teacher}{view}; its F1 is not known here"
    if config.method != "fine-tune":
        weights = f"{first}; taught by the teacher {origin}"
    elif config.teacher:
        weights = f"the teacher's, {origin}"
    else:
        weights = f"{first}; then the teacher {origin}"
    return [f"weights: {weights}", *(teacher_score(config.views, epoch) for epoch in history[-1:])]


def teacher_score(views: int, epoch: Mapping[str, float]) -> str:
    """A line on what the teacher has learned, by an epoch of its history."""
    f1, constant = epoch[train.HELD_OUT], epoch[train.CONSTANT]
    of, nothing = ("two views" if views == 2 else "one view"), ("; it has learned nothing" if f1 <= constant else "")
    return f"teacher of {of}: macro F1 {f1:.3f} on held-out images of EmotioNet, all absent {constant:.3f}{nothing}"


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

PRINTED = "CASME II in eight units, SAMM in four"
COMPARISON = {
    "aus": (
        Method(Row("ResNet-18", views=1, method="none"), tuned=PRINTED),
        Method(Row("Lv", method="none", lambda_mv=0.0), tuned=PRINTED),
        Method(Row("DVASP-18"), tuned=PRINTED),
    )
}
CLAIM = Claim(
    "ASP and two views", Row("DVASP-18"), Row("Baseline", views=1, method="none"), "casme2-au8-halves", "f1_macro"
)

PAPER = Paper(
    name="dvasp",
    title="DVASP",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    comparison=COMPARISON,
    claim=CLAIM,
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
    pretraining_files=teacher_files,
    published=PUBLISHED,
    remarks=remarks,
)
