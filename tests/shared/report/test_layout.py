"""Tables as printed: the page, the terminal and manuscripts show what tables.csv holds, in the paper's layout."""

import importlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from invented import archive

from shared.report import tables
from shared.report.cells import Cell
from shared.report.layout import as_text, heading, layout, manuscript, rule_line, written
from shared.report.page import page
from shared.report.results import Result, all_results
from shared.runs.paper import Column, Row, Table


def paper(name, *tables):
    """A paper with some of its tables alone."""
    found = importlib.import_module(f"{name}.experiments").PAPER
    chosen = tuple(table for table in found.tables if table.name in tables)
    return replace(found, tables=chosen, remarks=lambda *_: ["weights: invented"], figures=lambda *_: [])


class Tables(HTMLParser):
    """The tables of a page: title -> rows of cells, a cell being a list of (class, text)."""

    def __init__(self, content):
        super().__init__()
        self.found, self.kinds, self.title, self.tag, self.kind = {}, {}, "", "", ""
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.tag, self.kind = tag, dict(attributes).get("class", "")
        if tag == "h3":
            self.title = ""
        elif tag == "tr" and self.title:
            self.found.setdefault(self.title, []).append([])
            self.kinds.setdefault(self.title, []).append(self.kind)
        elif tag in ("td", "th") and self.title:
            self.found[self.title][-1].append([])

    def handle_data(self, text):
        if self.tag == "h3":
            self.title += text.strip()
        elif text.strip() and self.tag in ("td", "th", "span"):
            self.found[self.title][-1][-1].append((self.kind, text.strip()))


PRINTED = {"skd_tstsan": ("table1", "table3"), "sca_au": ("table2",), "ma2mi": ("table1",)}


@pytest.mark.parametrize("generated", [False, True], ids=["real", "synthetic"])
@pytest.mark.parametrize("name", PRINTED)
def test_the_page_shows_cell_by_cell_what_the_csv_holds(tmp_path, name, generated):
    made = archive(paper(name, *PRINTED[name]), tmp_path, generated=generated)
    results = all_results(made)
    lines = pd.read_csv(io.StringIO(tables.as_csv(made, results)), dtype={"printed": str}, keep_default_na=False)
    lines = lines.drop_duplicates(["table", "row", "column"])  # the mean of folds; the pooled number stands below it
    shown = Tables(page(made, results, {}))
    numbers = compared = 0
    for result in results:
        columns = [column.name for column in result.table.columns]
        body = [row for row in shown.found[result.table.title] if row[0] and row[0][0][1] in set(lines["row"])]
        own = lines[lines["table"] == result.table.name]
        assert sorted(row[0][0][1] for row in body) == sorted(set(own["row"]))
        assert body[-1][0][0][1].startswith("constant baseline")
        for (_, row), *cells in ((row[0][0], *row[1:]) for row in body):
            for column, cell in zip(columns, cells, strict=True):
                found = own[(own["row"] == row) & (own["column"] == column)].to_dict("records")
                texts = {kind.split()[0]: text for kind, text in cell}
                marks = [kind.split()[1] for kind, _ in cell if len(kind.split()) > 1]
                if not found:
                    assert not cell
                    continue
                (line,) = found
                value, low, high = (line[key] for key in ("value", "low", "high"))
                assert ("measured" in texts) == (value != "")
                if value != "":
                    digits = len(texts["measured"].partition(".")[2])
                    assert float(texts["measured"]) == pytest.approx(float(value), abs=0.51 * 10**-digits)
                    numbers += 1
                if low != "":
                    ends = re.fullmatch(r"\[(-?[\d.]+), (-?[\d.]+)\]", texts["interval"]).groups()
                    assert [float(end) for end in ends] == pytest.approx(
                        [float(low), float(high)], abs=0.51 * 10**-digits
                    )
                inside = line["printed"] and low != "" and line["records"].find("other samples") < 0
                assert bool(marks) == bool(inside and not generated)
                if marks:
                    unit = 10 ** -len(line["printed"].partition(".")[2])
                    within = float(low) - unit / 2 <= float(line["printed"]) <= float(high) + unit / 2
                    assert marks == ["inside" if within else "outside"]
                    compared += 1
                assert (line["printed"] in texts.get("printed", "")) if line["printed"] else True
                if line["over first row"] != "":
                    over = float(texts["over"].split(" ")[0])
                    assert over == pytest.approx(float(line["over first row"]), abs=0.51 * 10**-digits)
    assert numbers > 8 and (compared > 4) == (not generated and name != "sca_au")  # whose counts of positives differ


def test_headings_stand_above_the_columns_that_they_are_printed_above():
    of = {name: heading(Column(name, task, "uf1")) for name, task in COLUMNS}
    assert list(of.values()) == [
        ("CASME II", "Acc (%)"),
        ("Full, 3 classes", "UF1 (%)"),
        ("", "UAR (%)"),
        ("", "AVG F1"),
    ]


COLUMNS = (
    ("CASME II Acc (%)", "casme2-5"),
    ("Full, 3 classes UF1 (%)", "cde-3"),
    ("UAR (%)", "casme2-5"),
    ("AVG F1", "casme2-au8"),
)


def test_the_terminal_has_the_papers_layout_and_its_order(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    made = archive(paper("skd_tstsan", "table1"), tmp_path)
    (table,) = results = all_results(made)
    printed = as_text(made, results)
    lines = printed.splitlines()
    assert lines[0] == "SKD-TSTSAN, Table 1: the composite task"
    assert lines[1].split() == ["Full", "CASME", "II", "SAMM", "SMIC"]
    assert lines[2].split() == ["UF1", "(%)", "UAR", "(%)"] * 4
    names = [line.partition("  ")[0] for line in lines[3:] if line[:1].strip()]
    rows = layout(table, comparable=True).rows
    assert names[: len(rows)] == [name for name, _, _ in rows] and rows[-1][1] == "baseline"
    assert {kind for _, kind, _ in rows} == {"", "cited", "baseline"}
    assert (
        "  rule: best_on_test; folds: pooled; leak: best_on_test − last, the optimism of test-set selection" in printed
    )
    assert "= inside" in printed and re.search(r"\([=≠] \d+\.\d+\)", printed)


def test_nothing_on_synthetic_faces_is_held_against_the_paper(tmp_path):
    made = archive(paper("skd_tstsan", "table2"), tmp_path, generated=True)
    printed = as_text(made, all_results(made))
    assert "*** synthetic faces: not comparable with the paper ***" in printed
    assert "of other data or settings" in printed and "≠" not in printed and "(=" not in printed


@pytest.mark.parametrize("generated", [False, True], ids=["real", "synthetic"])
def test_manuscripts_hold_the_measured_numbers(tmp_path, generated):
    made = archive(paper("ma2mi", "table1"), tmp_path, generated=generated)
    results = all_results(made)
    table = layout(results[0], comparable=False)
    wanted = [[name, *(c.measured for c in cells)] for name, _, cells in table.rows if any(c.measured for c in cells)]
    csv = manuscript(made, results, "csv", intervals=False)
    read = pd.read_csv(io.StringIO(csv), comment="#", dtype=str)
    assert read.to_numpy().tolist() == wanted
    assert list(read) == ["row", *(column.name for column in results[0].table.columns)]
    markdown = manuscript(made, results, "markdown", intervals=False).splitlines()
    lines = [line for line in markdown if line.startswith("|")][2:]
    assert [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines] == wanted
    latex = manuscript(made, results, "latex", intervals=True)
    assert r"\multicolumn{2}{c}{CASME II}" in latex and r"Acc (\%)" in latex
    cell = table.rows[0][2][0]
    assert f"{cell.measured} {cell.interval} &" in latex
    assert r"% needs \usepackage{booktabs}" in latex
    captioned = latex.partition(r"\caption{")[2].partition("\n")[0]
    assert (
        "−" not in latex and "δ" not in latex and "best_on" not in captioned and r"best\_on\_test $-$ last" in captioned
    )
    for text in (csv, "\n".join(markdown), latex):
        assert ("synthetic faces: not comparable" in text) == generated and "rule: last" in text
        assert all(remark in text for remark in results[0].remarks) and results[0].remarks

    made.left_out.append("a record: another code")
    for form in ("csv", "markdown", "latex"):
        assert "a record: another code" in manuscript(made, results, form, intervals=False)


def test_a_manuscript_has_no_column_without_numbers(tmp_path):
    made = archive(paper("ma2mi", "table1"), tmp_path)
    (found,) = all_results(made)
    gone, *kept = [column.name for column in found.table.columns]
    empty = [replace(c, measured=None, low=None, gain=None) if c.column == gone else c for c in found.cells]
    text = manuscript(made, [replace(found, cells=tuple(empty))], "csv", intervals=True)
    assert list(pd.read_csv(io.StringIO(text), comment="#")) == ["row", *kept]


def test_latex_can_set_whatever_a_caption_says():
    latex = written(
        pd.DataFrame({"δ": ["0.5"]}, index=["δ in [1, 2]"]), r"set: start=C:\a~b^c_d − 50 %", ["δ"], "latex"
    )
    assert r"\caption{set: start=C:\textbackslash{}a\textasciitilde{}b\textasciicircum{}c\_d $-$ 50 \%}" in latex
    comment, table = latex.split("\n", 1)
    assert comment == "% δ" and "δ" not in table and table.count(r"$\delta$") == 2


def test_a_table_without_an_epoch_to_choose_says_how_its_folds_are_joined():
    columns = (Column("AU1", "casme2-au8", "f1_binary", joined="mean of folds"),)
    cells = Cell("LBP-TOP", "AU1", measured=0.5, rule="val"), Cell("yardstick", "AU1", measured=0.5, rule="none")
    made = Result(Table("t", "", columns, (Row("LBP-TOP"),)), cells, ())
    assert rule_line(made) == "rule: val; folds: mean of folds"
    assert rule_line(replace(made, cells=cells[1:])) == ""


def test_leaks_of_two_units_are_not_mixed():
    columns = Column("Acc", "casme2-5", "accuracy", 100), Column("UF1", "casme2-5", "uf1")
    cells = [
        Cell("ours", column.name, measured=value, leak=leak, rule="last")
        for column, value, leak in zip(columns, (62.5, 0.5), (5.26, 0.04), strict=True)
    ]
    line = rule_line(Result(Table("t", "", columns, (Row("ours"),)), tuple(cells), ()))
    assert re.search(r"\+5\.\d+ to \+5\.\d+ per cent, \+0\.0\d+ to \+0\.0\d+$", line), line
