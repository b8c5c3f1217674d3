"""The printed tables against what the paper's text says of them (Sec. 4.2, 4.3)."""

from importlib.resources import files

import pandas as pd
import pytest

MACRO = ["CK+", "MMI", "Oulu"]


def table(number):
    sheet = pd.read_csv(files("mtmnet") / f"tables/table{number}.csv")
    assert not sheet.duplicated(["row", "column"]).any()
    assert sheet.value.between(0, 1).all()
    return sheet.pivot(index="row", columns="column", values="value")


def gain(sheet, column, row, baseline):
    return round(100 * (sheet.at[row, column] - sheet.at[baseline, column]), 1)


@pytest.mark.parametrize(
    ("row", "gains"),
    [("L_MTM", [5.6, 6.6, 7.9, 8.5, 5.3, 6.7]), ("L_EID, L_MTM", [10.8, 12.6, 14.6, 15.1, 10.9, 11.2])],
)
def test_table_2_against_section_4_2_1(row, gains):
    sheet = table(2)
    columns = [f"{micro}(CK+) {metric}" for micro in ("CASME2", "SMIC", "SAMM") for metric in ("Acc", "F1")]
    assert [gain(sheet, column, row, "L_cls") for column in columns] == gains


def test_table_2_is_whole_and_its_first_row_knows_no_macro_corpus():
    sheet = table(2)
    assert sheet.shape == (11, 18) and sheet.notna().all(axis=None)
    for micro in "CASME2", "SMIC", "SAMM":
        for metric in "Acc", "F1":
            assert sheet.loc["L_cls", [f"{micro}({macro}) {metric}" for macro in MACRO]].nunique() == 1


@pytest.mark.parametrize(
    ("row", "gains"),
    [
        ("L_EID, L_cls + L_tri", [15.3, 13.8, 15.6, 13.8, 14.5, 13.2]),
        ("L_EID, L_cls + L_adv", [13.2, 14.6, 14.3, 15.7, 13.3, 14.6]),
        ("L_EID, L_cls + L_tri + L_adv", [16.0, 15.9, 16.0, 15.9, 15.3, 14.6]),
        ("L_EID, L_MTM", [18.5, 17.3, 17.7, 17.5, 16.3, 15.9]),
    ],
)
def test_table_3_against_section_4_2_3(row, gains):
    sheet = table(3)
    assert sheet.shape == (11, 6) and sheet.notna().all(axis=None)
    columns = [f"{macro} {metric}" for macro in ("CK+", "MMI", "Oulu-CASIA") for metric in ("UF1", "UAR")]
    assert [gain(sheet, column, row, "L_cls") for column in columns] == gains


def test_table_4_repeats_the_best_macro_corpus_of_table_2():
    two, four = table(2), table(4)
    for micro, macro in (("CASME2", "Oulu"), ("SMIC", "MMI"), ("SAMM", "CK+")):
        for metric in "Acc", "F1":
            assert four.at["ours", f"{micro} {metric}"] == two.at["L_EID, L_MTM", f"{micro}({macro}) {metric}"]


def test_table_5_against_section_4_3_2():
    sheet = table(5)
    columns = [f"{split} {metric}" for split in ("Full", "SMIC", "CASME2", "SAMM") for metric in ("UF1", "UAR")]
    assert [gain(sheet, column, "ours", "Neural") for column in columns] == [7.6, 7.5, 11.8, 10.8, 4.1, 5.2, 5.0, 10.4]
    assert [gain(sheet, column, "ours", "Dual") for column in columns[2:]] == [20.0, 18.9, 0.8, 1.6, 23.9, 25.3]


def test_only_the_papers_own_rows_are_marked_as_run():
    for number in 4, 5:
        sheet = pd.read_csv(files("mtmnet") / f"tables/table{number}.csv")
        assert set(sheet.row[sheet.source == "run"]) == {"ours"}
        assert set(sheet.source) == {"run", "cited"}
