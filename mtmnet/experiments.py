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


def pretraining(config: Config, task: Task) -> dict[str, Any] | None:
    """The settings, the corpus and the classes that a MacroNet depends on; of the micro-expressions nothing else."""
    if config.macro == "none":
        return None
    how = "eid" if config.pretrain == "eid" else "classification"
    key = {"corpora": (config.macro,), "labels": data.LABELS[task.name]}
    return key | pretraining_settings(config) | {"pretrain": how}


def files(config: Config) -> tuple[str, ...]:
    """The names of the published files that the networks start from."""
    return () if config.start == "random" else (config.start,)


def remarks(config: Config, history: History = (), records: Sequence[Record] = ()) -> list[str]:
    """The initial weights, what is done to the images that the paper does not do, and each term's share of the gradient
    on E."""
    first = "random, not ImageNet's" if config.start == "random" else f"ImageNet's ({config.start} of torchvision)"
    guide = "" if config.macro == "none" else f"; MacroNet pre-trained here on {config.macro}"
    magnified = f"input: x_E of micro-expressions is x_N + {config.magnify:g} (x_E − x_N), in training and at test"
    shifted = f"training: the images of the second stage are shifted by up to {config.shift} pixels"
    ours = [magnified] * (config.magnify != 1) + [shifted] * (config.shift > 0)
    return [f"weights: {first}{guide}", *(f"{line}, which the paper does not do" for line in ours), *shares(records)]


def shares(records: Sequence[Record]) -> list[str]:
    """The share of each term in the gradient norms on E: the mean over the epochs of all folds, one batch each."""
    norms = [epoch for record in records if record["figures"] for epoch in train.Left(**record["figures"]).gradients]
    if not any(norm for epoch in norms for name, norm in epoch.items() if name != "L_cls"):  # no guidance
        return []
    means = {name: sum(n[name] / sum(n.values()) for n in norms) / len(norms) for name in norms[0]}
    terms = ", ".join(f"{name} {value:.2g}" for name, value in means.items())
    task, macro = records[0]["task"], records[0]["config"]["macro"]
    return [f"shares of the terms in the gradient norms on E, {task} with {macro}: {terms}"]


# Which F1 the paper prints is not in it: the mean over classes.
TABLE2 = (
    Column("CASME2(CK+) Acc", "casme2-5-2019", "accuracy", changes={"macro": "CK+"}),
    Column("CASME2(CK+) F1", "casme2-5-2019", "uf1", changes={"macro": "CK+"}),
    Column("SMIC(CK+) Acc", "smic-3", "accuracy", changes={"macro": "CK+"}),
    Column("SMIC(CK+) F1", "smic-3", "uf1", changes={"macro": "CK+"}),
    Column("SAMM(CK+) Acc", "samm-7", "accuracy", changes={"macro": "CK+"}),
    Column("SAMM(CK+) F1", "samm-7", "uf1", changes={"macro": "CK+"}),
    Column("CASME2(MMI) Acc", "casme2-5-2019", "accuracy", changes={"macro": "MMI"}),
    Column("CASME2(MMI) F1", "casme2-5-2019", "uf1", changes={"macro": "MMI"}),
    Column("SMIC(MMI) Acc", "smic-3", "accuracy", changes={"macro": "MMI"}),
    Column("SMIC(MMI) F1", "smic-3", "uf1", changes={"macro": "MMI"}),
    Column("SAMM(MMI) Acc", "samm-7", "accuracy", changes={"macro": "MMI"}),
    Column("SAMM(MMI) F1", "samm-7", "uf1", changes={"macro": "MMI"}),
    Column("CASME2(Oulu) Acc", "casme2-5-2019", "accuracy", changes={"macro": "Oulu-CASIA"}),
    Column("CASME2(Oulu) F1", "casme2-5-2019", "uf1", changes={"macro": "Oulu-CASIA"}),
    Column("SMIC(Oulu) Acc", "smic-3", "accuracy", changes={"macro": "Oulu-CASIA"}),
    Column("SMIC(Oulu) F1", "smic-3", "uf1", changes={"macro": "Oulu-CASIA"}),
    Column("SAMM(Oulu) Acc", "samm-7", "accuracy", changes={"macro": "Oulu-CASIA"}),
    Column("SAMM(Oulu) F1", "samm-7", "uf1", changes={"macro": "Oulu-CASIA"}),
)
TABLE3 = (
    Column("CK+ UF1", "cde-3", "uf1", changes={"macro": "CK+"}),
    Column("CK+ UAR", "cde-3", "uar", changes={"macro": "CK+"}),
    Column("MMI UF1", "cde-3", "uf1", changes={"macro": "MMI"}),
    Column("MMI UAR", "cde-3", "uar", changes={"macro": "MMI"}),
    Column("Oulu-CASIA UF1", "cde-3", "uf1", changes={"macro": "Oulu-CASIA"}),
    Column("Oulu-CASIA UAR", "cde-3", "uar", changes={"macro": "Oulu-CASIA"}),
)
TABLE4 = (  # each with the macro corpus that is best in Table 2
    Column("CASME2 Acc", "casme2-5-2019", "accuracy", changes={"macro": "Oulu-CASIA"}),
    Column("CASME2 F1", "casme2-5-2019", "uf1", changes={"macro": "Oulu-CASIA"}),
    Column("SMIC Acc", "smic-3", "accuracy", changes={"macro": "MMI"}),
    Column("SMIC F1", "smic-3", "uf1", changes={"macro": "MMI"}),
    Column("SAMM Acc", "samm-7", "accuracy", changes={"macro": "CK+"}),
    Column("SAMM F1", "samm-7", "uf1", changes={"macro": "CK+"}),
)
TABLE5 = (  # the macro corpus is not in the paper: MMI's row of Table 3 is nearest
    Column("Full UF1", "cde-3", "uf1", changes={"macro": "MMI"}),
    Column("Full UAR", "cde-3", "uar", changes={"macro": "MMI"}),
    Column("SMIC UF1", "cde-3", "uf1", corpus="SMIC", changes={"macro": "MMI"}),
    Column("SMIC UAR", "cde-3", "uar", corpus="SMIC", changes={"macro": "MMI"}),
    Column("CASME2 UF1", "cde-3", "uf1", corpus="CASME2", changes={"macro": "MMI"}),
    Column("CASME2 UAR", "cde-3", "uar", corpus="CASME2", changes={"macro": "MMI"}),
    Column("SAMM UF1", "cde-3", "uf1", corpus="SAMM", changes={"macro": "MMI"}),
    Column("SAMM UAR", "cde-3", "uar", corpus="SAMM", changes={"macro": "MMI"}),
)

ROWS = (
    Row("L_cls", pretrain="none", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0),
    Row(
        "L_cls, guided batch (ours)", pretrain="none", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0, guided_batch=True
    ),
    Row("L_cls + L_tri", pretrain="none", lambda_adv=0.0, lambda_lir=0.0),
    Row("L_cls + L_adv", pretrain="none", lambda_tri=0.0, lambda_lir=0.0),
    Row("L_cls + L_tri + L_adv", pretrain="none", lambda_lir=0.0),
    Row("L_cls + L_LIR", pretrain="none", lambda_tri=0.0, lambda_adv=0.0),
    Row("L_MTM", pretrain="none"),
    Row("L_EID, L_cls, guided batch (ours)", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0, guided_batch=True),
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

PRINTED = "CASME II in five classes of 2019, SMIC in three, SAMM in seven, the composite task"
BEST: dict[str, dict[str, Any]] = {  # the macro corpus that is best in Table 2; the others: CK+, not in the paper
    "casme2-3": {"macro": "Oulu-CASIA"},
    "casme2-5": {"macro": "Oulu-CASIA"},
    "smic-3": {"macro": "MMI"},
    "cde-3": {"macro": "MMI"},  # as in Table 5
}
EIDNET = Row("EIDNet", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0)
COMPARISON = {"emotion": (Method(EIDNET, tuned=PRINTED), Method(Row("MTMNet"), tuned=PRINTED, by_task=BEST))}
CONTROL = Row("guided batch", lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0, guided_batch=True)
CLAIM = Claim("guidance from macro-expressions", Row("MTMNet"), CONTROL, "casme2-5-halves", "uf1")

PAPER = Paper(
    name="mtmnet",
    title="MTMNet",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    comparison=COMPARISON,
    claim=CLAIM,
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
    published=PUBLISHED,
    remarks=remarks,
)
