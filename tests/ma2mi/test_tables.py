import csv
import re
from pathlib import Path

import pytest

import ma2mi

FOLDER = Path(ma2mi.__file__).parent / "tables"
CELLS = {1: 16, 2: 29, 3: 16, 4: 15, 5: 36, 6: 7}  # those that can be read in our copy of the paper
ILLEGIBLE = {1: 4, 2: 1, 3: 4, 4: 0, 5: 0, 6: 0}


def read(number, illegible=False):
    with open(FOLDER / f"table{number}.csv", newline="", encoding="utf-8") as file:
        return [cell for cell in csv.DictReader(file) if (cell["source"] == "illegible") == illegible]


def row(number, name):
    return {cell["column"]: cell["value"] for cell in read(number) if cell["row"] == name}


@pytest.mark.parametrize("number", CELLS)
def test_cells(number):
    cells = read(number)
    assert len(cells) == len({(cell["row"], cell["column"]) for cell in cells}) == CELLS[number]
    unread = read(number, illegible=True)
    assert len(unread) == ILLEGIBLE[number] and not any(cell["value"] for cell in unread)
    for cell in cells:
        corpus, metric = re.fullmatch(r"(CASME II|SAMM|MMEW) (Acc \(%\)|UF1)", cell["column"]).groups()
        assert corpus != "MMEW" or metric == "Acc (%)"
        low, high, digits = {"Acc (%)": (38, 90, 2), "UF1": (0.4, 0.9, 4)}[metric]
        assert low < float(cell["value"]) < high and len(cell["value"].partition(".")[2]) == digits
        assert cell["source"] == ("cited" if number > 4 and "Ours" not in cell["row"] else "run")


def test_the_same_experiment_has_the_same_numbers_in_every_table():
    default = row(2, "FPE + FAE")
    assert len(default) == 5
    assert row(3, "DFEW") == row(4, "FPE, L_pos") == row(5, "MA2MI (Ours)") | row(6, "MA2MI (Ours)") == default
    assert row(1, "MA2MI").items() <= default.items()
    assert row(1, "w/o (baseline)") == row(3, "None")
