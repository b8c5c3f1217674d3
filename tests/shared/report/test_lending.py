"""A row may be read from another paper's records, under this paper's metric."""

import re
from dataclasses import replace

from toy.experiments import PAPER

from shared.runs.paper import Column, Row, Table

LENT = Row("lent", records="toy/table1/plain")
COLUMNS = (Column("F1", "casme2-5", "uf1"),)
BORROWER = replace(
    PAPER,
    name="borrower",
    tables=(Table("table1", "Table 1", COLUMNS, (Row("own", lr=0.01), LENT)),),
    headline=("table1",),
    remarks=lambda *_: ["weights: the borrower's"],
)


def line(text: str, row: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"{row} ")]
    return re.split(r"\s{2,}", found)


def test_a_row_is_read_from_another_papers_records(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out", "--scale", "smoke")
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and line(out, "lent")[-1] == "not run: no records of toy/table1/plain"
    assert not (tmp_path / "out" / "toy").exists()
    code, own, _ = toy("table1/plain@UF1", *where)
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and line(out, "lent")[2] == line(own, "plain")[3]
    assert line(out, "lent")[-1] == "4 of 4 folds, of toy/table1/plain"
    assert out.count("casme2-5: 12 samples of 4 subjects") == 1  # of both rows
    assert "  weights: random [rows: lent]" in out and "  weights: the borrower's [rows: own]" in out
    assert len(list((tmp_path / "out" / "borrower").rglob("CASME2_*.json"))) == 4  # of its own row alone
    code, out, _ = toy("table1/lent", *where, "--set", "lr=0.05", paper=BORROWER)
    assert code == 0 and line(out, "lent")[2] == line(own, "plain")[3]  # the settings are the lender's own


def test_records_under_other_settings_are_not_read(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out", "--scale", "smoke")
    assert toy("table1/plain", *where, "--set", "epochs=1")[0] == 0
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and line(out, "lent")[-1] == "not run: records of toy/table1/plain were made under other settings"
