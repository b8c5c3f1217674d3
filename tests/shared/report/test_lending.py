"""A row may be read from another paper's records, under this paper's metric."""

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


def measured(toy, row: str, *arguments, **how) -> str:
    """The UF1 of a row that `diff` finds measured; empty where it has none."""
    lines = toy(*arguments, "--diff", "--format", "csv", **how)[1].splitlines()
    return next((line.rpartition(",")[2] for line in lines if line.startswith(f"{row},")), "")


def test_a_row_is_read_from_another_papers_records(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out", "--scale", "smoke")
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and not measured(toy, "lent", *where, paper=BORROWER)
    assert "not run: no records of toy/table1/plain [rows: lent]" in out
    assert not (tmp_path / "out" / "toy").exists()
    assert toy("table1/plain@UF1", *where)[0] == 0
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and measured(toy, "lent", *where, paper=BORROWER) == measured(toy, "plain", *where) != ""
    assert "4 of 4 folds, of toy/table1/plain" in (tmp_path / "out/borrower/smoke/tables.md").read_text()
    assert out.count("casme2-5: 12 samples of 4 subjects") == 1  # of both rows
    assert "  weights: random [rows: lent]" in out and "  weights: the borrower's [rows: own]" in out
    assert len(list((tmp_path / "out" / "borrower").rglob("CASME2_*.json"))) == 4  # of its own row alone
    other = ("table1/lent", *where, "--set", "lr=0.05")
    assert toy(*other, paper=BORROWER)[0] == 0  # the settings are the lender's own
    assert measured(toy, "lent", *other, paper=BORROWER) == measured(toy, "plain", *where)


def test_records_under_other_settings_are_not_read(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out", "--scale", "smoke")
    assert toy("table1/plain", *where, "--set", "epochs=1")[0] == 0
    code, out, _ = toy("table1", *where, paper=BORROWER)
    assert code == 0 and not measured(toy, "lent", *where, paper=BORROWER)
    assert "is left out: it was run with --set epochs=1" in out
