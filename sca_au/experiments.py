"""The paper's tables, one line per row, and the functions that run them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shared.runs.fold import History, Record
from shared.runs.paper import Claim, Column, Method, Paper, Row, Table

from . import data, figures, train
from .config import PUBLISHED, SMOKE, Config


def files(config: Config) -> tuple[str, ...]:
    """The names of the published files that the networks start from."""
    zoo = train.zoo(config) if config.descriptor == "none" else None
    return (zoo.file.name,) if zoo else ()


def remarks(config: Config, history: History = (), records: Sequence[Record] = ()) -> list[str]:
    """The initial weights, what is done that the paper does not do, and how many SVMs have not converged."""
    if config.descriptor != "none":
        failed = sum(train.LeftBySVMs(**record["figures"]).not_converged for record in records)
        unsure = f"{config.descriptor}: {failed} SVMs have not converged: decisions may depend on the samples' order"
        return ["weights: none (an SVM)", *[unsure] * (failed > 0)]
    if (zoo := train.zoo(config)) is None:
        first = "random, not those of Kinetics and UCF-101"
    else:
        alone = " alone, not of UCF-101 as in the paper" * (zoo.classes == 400)
        first = f"those of {zoo.data}{alone} ({zoo.file.name} of the 2018 model zoo of 3D ResNets)"
    seen = ["input: the first frame is subtracted from the others, which the paper does not do"]
    return [f"weights: {first}", *seen * config.subtract]


def columns(task: str, *aus: int) -> tuple[Column, ...]:
    """F1 of "present" of each AU and their mean. Printed F1 are means over folds, as their digits show."""
    each = ((f"AU{au}", au) for au in aus)
    return tuple(Column(name, task, "f1_binary", au=au, joined="mean of folds") for name, au in (*each, ("AVG", None)))


CASME2 = columns("casme2-au8", 1, 2, 4, 7, 12, 14, 15, 17)
CASME = columns("casme-au4", 1, 4, 9, 14)
SAMM = columns("samm-au4", 2, 4, 7, 12)


def by(metric: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns by another metric, of all clips pooled."""
    return tuple(replace(column, metric=metric, joined="pooled") for column in columns)


DESCRIPTORS = (
    Row("LBP-TOP", descriptor="LBP-TOP"),
    Row("LPQ-TOP", descriptor="LPQ-TOP"),
    Row("LBP-SIP", descriptor="LBP-SIP"),
    Row("HOG3D", descriptor="HOG3D"),
)
NETWORKS = (
    Row("Res3D18", attention="none"),
    Row("Res3D50", depth=50, attention="none"),
    Row("Res3D101", depth=101, attention="none"),
    Row("Res3D18 + SCA"),
    Row("Res3D50 + SCA", depth=50),
    Row("Res3D101 + SCA", depth=101),
)
METHODS = (*DESCRIPTORS, *NETWORKS)
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
TABLES = (
    Table("table1", "Table 1: methods on CASME II, F1 of “present”", CASME2, METHODS),
    Table("table2", "Table 2: methods on CASME, F1 of “present”", CASME, METHODS),
    Table("table3", "Table 3: methods on SAMM, F1 of “present”", SAMM, METHODS),
    Table("table4", "Table 4: ablation on CASME II, F1 of “present”", CASME2, ABLATION),
    Table("table5", "Table 5: ablation on CASME, F1 of “present”", CASME, ABLATION),
    Table("table6", "Table 6: ablation on SAMM, F1 of “present”", SAMM, ABLATION),
    Table(
        "table1-macro",
        "Table 1: methods on CASME II, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", CASME2),
        METHODS,
    ),
    Table(
        "table2-macro",
        "Table 2: methods on CASME, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", CASME),
        METHODS,
    ),
    Table(
        "table3-macro",
        "Table 3: methods on SAMM, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", SAMM),
        METHODS,
    ),
    Table(
        "table4-macro",
        "Table 4: ablation on CASME II, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", CASME2),
        ABLATION,
    ),
    Table(
        "table5-macro",
        "Table 5: ablation on CASME, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", CASME),
        ABLATION,
    ),
    Table(
        "table6-macro",
        "Table 6: ablation on SAMM, mean F1 of “present” and “absent” (ours)",
        by("f1_macro", SAMM),
        ABLATION,
    ),
    Table("table1-accuracy", "Table 1: methods on CASME II, accuracy (ours)", by("accuracy", CASME2), METHODS),
    Table("table2-accuracy", "Table 2: methods on CASME, accuracy (ours)", by("accuracy", CASME), METHODS),
    Table("table3-accuracy", "Table 3: methods on SAMM, accuracy (ours)", by("accuracy", SAMM), METHODS),
    Table("table4-accuracy", "Table 4: ablation on CASME II, accuracy (ours)", by("accuracy", CASME2), ABLATION),
    Table("table5-accuracy", "Table 5: ablation on CASME, accuracy (ours)", by("accuracy", CASME), ABLATION),
    Table("table6-accuracy", "Table 6: ablation on SAMM, accuracy (ours)", by("accuracy", SAMM), ABLATION),
    Table(
        "figure5",
        "Figure 5: average accuracy",
        (
            Column("CASME II accuracy", "casme2-au8", "accuracy"),
            Column("CASME accuracy", "casme-au4", "accuracy"),
            Column("SAMM accuracy", "samm-au4", "accuracy"),
        ),
        NETWORKS,
    ),
)

PRINTED = "CASME II in eight units, CASME and SAMM in four"
COMPARISON = {
    "aus": (
        Method(Row("LBP-TOP", descriptor="LBP-TOP"), tuned=PRINTED),
        Method(Row("LBP-SIP", descriptor="LBP-SIP"), tuned=PRINTED),
        Method(Row("LPQ-TOP", descriptor="LPQ-TOP"), tuned=PRINTED),
        Method(Row("HOG3D", descriptor="HOG3D"), tuned=PRINTED),
        Method(Row("Res3D18", attention="none"), tuned=PRINTED),
        Method(Row("Res3D18 + SCA"), tuned=PRINTED),
    )
}
CLAIM = Claim("SCA", Row("Res3D18 + SCA"), Row("Res3D18", attention="none"), "casme2-au8-halves", "f1_binary")

PAPER = Paper(
    name="sca_au",
    title="SCA",
    folder=Path(__file__).parent,
    config=Config,
    smoke=SMOKE,
    tables=TABLES,
    comparison=COMPARISON,
    claim=CLAIM,
    headline=(
        "table1/Res3D18",
        "table1/Res3D18 + SCA",
        "table1-macro/Res3D18",
        "table1-macro/Res3D18 + SCA",
        "table1-accuracy/Res3D18",
        "table1-accuracy/Res3D18 + SCA",
    ),
    rule="val",  # Sec. 4.2 has a validation fold
    load=data.load,
    train=train.train,
    apply=train.apply,
    figures=figures.figures,
    files=files,
    published=PUBLISHED,
    remarks=remarks,
)
