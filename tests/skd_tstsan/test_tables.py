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


SIZES = [(1, 8, 8, 64), (2, 8, 2, 16), (3, 5, 4, 20), (4, 8, 6, 30), (5, 8, 4, 32), (6, 3, 2, 6), (7, 3, 20, 60)]


@pytest.mark.parametrize("number, rows, columns, cells_in_all", SIZES)
def test_every_cell_is_there(number, rows, columns, cells_in_all):
    cells = read(number)
    assert len(cells) == cells_in_all
    assert len({row for row, _ in cells}) == rows and len({column for _, column in cells}) == columns
    assert all(0 < float(cell["value"]) < 100 and len(cell["value"]) == 5 for cell in cells.values())
    for (row, column), cell in cells.items():
        cited = number in (1, 2, 4) and row != OURS
        if number == 3 and row.startswith("MMNet") and column.startswith("4 classes"):
            cited = True  # "the optimal performance reported in their original paper" (Sec. 4.4)
        assert (cell["source"] == "cited") == cited, (row, column)


OURS, HTNET = "SKD-TSTSAN (ours)", "HTNet (Wang et al., 2023)"
STATED = [  # table, row, another row, column, the difference in the text
    (1, OURS, HTNET, "Full UF1 (%)", 4.17),
    (1, OURS, HTNET, "Full UAR (%)", 6.08),
    (2, OURS, "TSCNN (Song et al., 2019)", "UF1 (%)", 9.64),
    (2, OURS, "TSCNN (Song et al., 2019)", "UAR (%)", 8.50),
    (3, OURS, "TSCNN (Song et al., 2019)", "6 classes UF1 (%)", 6.68),
    (3, OURS, "TSCNN (Song et al., 2019)", "6 classes UAR (%)", 6.01),
    (3, OURS, "MMNet (Li et al., 2022a)", "4 classes UAR (%)", 2.99),
    (4, OURS, "μ-BERT (Nguyen et al., 2023)", "3 classes UF1 (%)", 30.44),
    (4, OURS, "μ-BERT (Nguyen et al., 2023)", "4 classes UAR (%)", 23.44),
    (5, "Mag", "baseline", "CASME II UF1 (%)", 9.75),
    (5, "ECA", "baseline", "MMEW UAR (%)", 2.19),
    (5, "TSM", "baseline", "CASME II UAR (%)", 7.16),
    (5, "Mag + ECA", "Mag", "MMEW UF1 (%)", 2.48),
    (5, "Mag + ECA + TSM + SKD", "Mag + ECA + TSM", "MMEW UF1 (%)", 3.33),
    (6, "2 temporal domains", "10 temporal domains", "UF1 (%)", 2.96),
]


@pytest.mark.parametrize("number, row, other, column, difference", STATED)
def test_stated_differences(number, row, other, column, difference):
    assert value(number, row, column) - value(number, other, column) == pytest.approx(difference)


@pytest.mark.parametrize("metric", ["UF1 (%)", "UAR (%)"])
def test_the_deepest_classifier_is_the_network_of_the_other_tables(metric):
    def deepest(data):
        return value(7, "Classifier 3/3", f"{data} {metric}")

    for corpus in ("Full", "CASME II", "SAMM", "SMIC"):
        assert deepest(f"{corpus}, 3 classes") == value(1, OURS, f"{corpus} {metric}")
    assert deepest("CASME II, 5 classes") == value(2, OURS, metric) == value(6, "2 temporal domains", metric)
    assert value(5, "Mag + ECA + TSM + SKD", f"CASME II {metric}") == value(2, OURS, metric)
    for k in (4, 6):
        assert deepest(f"MMEW, {k} classes") == value(3, OURS, f"{k} classes {metric}")
    for k in (3, 4, 7):
        assert deepest(f"CAS(ME)³, {k} classes") == value(4, OURS, f"{k} classes {metric}")
