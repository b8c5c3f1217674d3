"""The printed tables agree with each other and with the differences that the text states."""

import csv
from pathlib import Path

import pytest

import skd_tstsan

FOLDER = Path(skd_tstsan.__file__).parent / "tables"


def read(number):
    with open(FOLDER / f"table{number}.csv", newline="", encoding="utf-8") as file:
        return {(cell["row"], cell["column"]): cell for cell in csv.DictReader(file)}


def value(number, row, column):
    return float(read(number)[row, column]["value"])


SIZES = [(1, 8, 8), (2, 8, 2), (3, 10, 2), (4, 15, 2), (5, 8, 4), (6, 3, 2), (7, 10, 6)]


@pytest.mark.parametrize("number, rows, columns", SIZES)
def test_every_cell_is_there(number, rows, columns):
    cells = read(number)
    assert len(cells) == rows * columns
    assert len({row for row, _ in cells}) == rows and len({column for _, column in cells}) == columns
    assert all(0 < float(cell["value"]) < 100 and len(cell["value"]) == 5 for cell in cells.values())
    sources = {row: cell["source"] for (row, _), cell in cells.items()}
    if number in (1, 2, 4):
        assert all((source == "run") == ("ours" in row) for row, source in sources.items())
    elif number == 3:
        assert [row for row, source in sources.items() if source == "cited"] == ["MMNet (Li et al., 2022a), 4 classes"]
    else:
        assert set(sources.values()) == {"run"}


OURS, HTNET = "SKD-TSTSAN (ours)", "HTNet (Wang et al., 2023)"
STATED = [  # table, row, another row, column, the difference in the text
    (1, OURS, HTNET, "Full UF1 (%)", 4.17), (1, OURS, HTNET, "Full UAR (%)", 6.08),
    (2, OURS, "TSCNN (Song et al., 2019)", "UF1 (%)", 9.64), (2, OURS, "TSCNN (Song et al., 2019)", "UAR (%)", 8.50),
    (3, f"{OURS}, 6 classes", "TSCNN (Song et al., 2019), 6 classes", "UF1 (%)", 6.68),
    (3, f"{OURS}, 6 classes", "TSCNN (Song et al., 2019), 6 classes", "UAR (%)", 6.01),
    (3, f"{OURS}, 4 classes", "MMNet (Li et al., 2022a), 4 classes", "UAR (%)", 2.99),
    (4, f"{OURS}, 3 classes", "μ-BERT (Nguyen et al., 2023), 3 classes", "UF1 (%)", 30.44),
    (4, f"{OURS}, 4 classes", "μ-BERT (Nguyen et al., 2023), 4 classes", "UAR (%)", 23.44),
    (5, "Mag", "baseline", "CASME II UF1 (%)", 9.75), (5, "ECA", "baseline", "MMEW UAR (%)", 2.19),
    (5, "TSM", "baseline", "CASME II UAR (%)", 7.16), (5, "Mag + ECA", "Mag", "MMEW UF1 (%)", 2.48),
    (5, "Mag + ECA + TSM + SKD", "Mag + ECA + TSM", "MMEW UF1 (%)", 3.33),
    (6, "2 temporal domains", "10 temporal domains", "UF1 (%)", 2.96),
]


@pytest.mark.parametrize("number, row, other, column, difference", STATED)
def test_stated_differences(number, row, other, column, difference):
    assert value(number, row, column) - value(number, other, column) == pytest.approx(difference)


@pytest.mark.parametrize("metric", ["UF1 (%)", "UAR (%)"])
def test_the_deepest_classifier_is_the_network_of_the_other_tables(metric):
    deepest = f"Classifier 3/3 {metric}"
    for corpus in ("Full", "CASME II", "SAMM", "SMIC"):
        assert value(7, f"{corpus}, 3 classes", deepest) == value(1, OURS, f"{corpus} {metric}")
    assert value(7, "CASME II, 5 classes", deepest) == value(2, OURS, metric) == value(6, "2 temporal domains", metric)
    assert value(5, "Mag + ECA + TSM + SKD", f"CASME II {metric}") == value(2, OURS, metric)
    for k in (4, 6):
        assert value(7, f"MMEW, {k} classes", deepest) == value(3, f"{OURS}, {k} classes", metric)
    for k in (3, 4, 7):
        assert value(7, f"CAS(ME)³, {k} classes", deepest) == value(4, f"{OURS}, {k} classes", metric)
