"""Readers on tiny folders in the released layouts, with the quirks that the releases have."""

import csv
import struct
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from shared.corpora import (
    CORPORA,
    afew,
    casme,
    casme2,
    casme3,
    ckplus,
    dfew,
    emotionet,
    ferv39k,
    mmew,
    mmi,
    oulu,
    samm,
    smic,
)
from shared.corpora.folders import unpadded
from shared.corpora.samples import COLUMNS, CorpusMissing, FrameMissing, Video
from shared.corpora.sheets import SheetError, read_sheet
from shared.report.counts import corpus_counts
from shared.tasks import TASKS

CASME2_HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]
SAMM_HEADER = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
]
MMEW_HEADER = [
    "Subject",
    "Filename",
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    "Action Units",
    "Estimated Emotion",
    "remarks",
]


def workbook(path: Path, rows: list[list], title: str = "Sheet1") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)


def images(folder: Path, name: str, first: int, last: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, last + 1):
        (folder / name.format(number)).touch()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def casme2_disk(root: Path, rows: list[list], *, header=CASME2_HEADER, name="CASME2-coding-20140508.xlsx") -> Path:
    workbook(root / "CASME2" / name, [header, *rows])
    for row in rows:
        if isinstance(row[3], int):
            images(root / "CASME2" / "Cropped" / f"sub{row[0]}" / row[1], "reg_img{}.jpg", row[3], row[5])
    return root


ROWS = [
    ["01", "EP02_01f", None, 46, 59, 86, None, "4+L10", "Happiness"],
    ["04", "EP12_01f", None, 10, "/", 21, None, 4, "disgust"],
    ["17", "EP01_02", None, 99, 101, 103, None, "?", "others"],
]


def test_casme2(tmp_path):
    reading = casme2.read(casme2_disk(tmp_path, ROWS))
    table = reading.samples
    assert list(table.columns) == list(COLUMNS)
    assert reading.edition == "2014" and not reading.problems
    assert table["sample"].tolist() == ["CASME2/sub01/EP02_01f", "CASME2/sub04/EP12_01f", "CASME2/sub17/EP01_02"]
    assert table["subject"].tolist() == ["CASME2/sub01", "CASME2/sub04", "CASME2/sub17"]
    assert table["emotion"].tolist() == ["happiness", "disgust", "others"]
    assert table["aus"].tolist() == [(4, 10), (4,), ()]
    assert table["au_codes"].tolist() == ["4+L10", "4", "?"]
    assert table["onset"].tolist() == [46, 10, 99] and table["offset"].tolist() == [86, 21, 103]
    assert str(table["apex"].dtype) == "Int64" and set(table["fps"]) == {200.0}
    frames = table["frames"][2]
    assert frames.numbers == (99, 100, 101, 102, 103), "numbers, not names, are in order"
    assert Path(frames.path(100)).name == "reg_img100.jpg"
    with pytest.raises(FrameMissing, match=r"EP01_02: no frame 98 \(frames on disk: 99..103\)"):
        frames.path(98)


def test_the_missing_apex_is_corrected_in_the_open(tmp_path):
    reading = casme2.read(casme2_disk(tmp_path, ROWS))
    assert reading.samples["apex"].tolist() == [59, 15, 101]
    (correction,) = reading.corrections
    assert (correction.sample, correction.column) == ("CASME2/sub04/EP12_01f", "apex")
    assert "no apex" in correction.why and "15" in correction.what


def test_an_unknown_missing_apex_is_a_problem(tmp_path):
    disk = casme2_disk(tmp_path, [ROWS[0], ["02", "EP01_01", None, 10, "/", 21, None, 4, "disgust"]])
    reading = casme2.read(disk)
    (problem,) = reading.problems
    assert problem.row == 3 and "'ApexFrame' holds '/'" in problem.what and problem.sample == "CASME2/sub02/EP01_01"
    assert reading.samples["sample"].tolist() == ["CASME2/sub01/EP02_01f"]


def test_all_problems_come_at_once(tmp_path):
    disk = casme2_disk(
        tmp_path,
        [
            ROWS[0],
            ["02", "EP01_01", None, 10, 15, 20, None, 4, "disgust"],
            ["02", "EP01_02", None, 18, 15, 20, None, 4, "disgust"],
            ["02", "EP01_03", None, 10, 15, 20, None, 4, "digsust"],
            [None, "EP01_04", None, "ten", 15, 20, None, 4, "disgust"],
            ROWS[0],
        ],
    )
    (tmp_path / "CASME2/Cropped/sub02/EP01_01/reg_img15.jpg").unlink()
    problems = casme2.read(disk).problems
    found = [(problem.row, problem.what) for problem in problems]
    assert [row for row, _ in found] == [3, 4, 4, 5, 6, 6, 7]
    text = "\n".join(what for _, what in found)
    for part in (
        "apex frame 15 is not in",
        "sub02/EP01_01",
        "onset 18 lies after apex 15",
        "'Subject' is empty",
        "'Estimated Emotion' holds 'digsust'",
        "'OnsetFrame' holds 'ten'",
        "CASME2/sub01/EP02_01f is there already",
    ):
        assert part in text
    assert "row 2" in found[-1][1]


def test_the_2019_edition_is_known_by_its_column(tmp_path):
    header = [*CASME2_HEADER, "Objective Classes"]
    disk = casme2_disk(tmp_path, [[*ROWS[0], 3]], header=header, name="coding.xlsx")
    assert casme2.read(disk).edition == "2019"
    casme2_disk(tmp_path, ROWS)
    assert casme2.read(disk).edition == "2014", "of both editions the first"
    assert casme2.read(disk, edition="2019").samples["edition"].tolist() == ["2019"]


@pytest.mark.parametrize(
    ("header", "name", "message"),
    [
        (CASME2_HEADER, "CASME2-coding-20190701.xlsx", "has no column 'Objective Classes'"),
        ([*CASME2_HEADER, "Objective Classes"], "CASME2-coding-20140508.xlsx", "has a column 'Objective Classes'"),
        (CASME2_HEADER, "CASME2-coding-20330101.xlsx", "edition 20330101 is unknown"),
        ([*CASME2_HEADER[:4], "Peak", *CASME2_HEADER[5:]], "x.xlsx", "row 1: no column 'Apex'.*'Peak'"),
    ],
)
def test_unknown_editions_and_missing_columns_are_refused(tmp_path, header, name, message):
    with pytest.raises(SheetError, match=message):
        casme2.read(casme2_disk(tmp_path, ROWS, header=header, name=name))


def test_two_sheets_of_one_edition_are_named(tmp_path):
    disk = casme2_disk(tmp_path, ROWS)
    casme2_disk(tmp_path, ROWS, name="CASME2-coding-20140508 (1).xlsx")
    reading = casme2.read(disk)
    assert len(reading.samples) == 3 and not reading.problems
    assert any("(1).xlsx says the same as" in note and "20140508.xlsx, which is read" in note for note in reading.notes)
    other = [ROWS[0], [*ROWS[1][:-1], "sadness"], ROWS[2]]
    casme2_disk(tmp_path, other, name="CASME2-coding-20140508 (1).xlsx")
    (problem,) = casme2.read(disk).problems
    assert problem.where.endswith("(1).xlsx") and "a second sheet of one edition" in problem.what
    assert "20140508.xlsx in row 3" in problem.what
    casme2_disk(tmp_path, [*ROWS, ROWS[0]], name="CASME2-coding-20140508 (1).xlsx")
    assert "a second sheet" in casme2.read(disk).problems[0].what


def test_sheets_that_are_passed_over_are_named(tmp_path):
    disk = casme2_disk(tmp_path, ROWS)
    casme2_disk(tmp_path, ROWS[:1], name="my own selection.xlsx")
    (tmp_path / "CASME2/CASME2-coding-20190701.xlsx").write_text("not a workbook")
    reading = casme2.read(disk)
    assert len(reading.samples) == 3 and reading.editions == ("2014",)
    assert any("20190701.xlsx: cannot be read as a sheet" in note for note in reading.notes)
    assert any("not read: " in note and "my own selection.xlsx" in note for note in reading.notes)


def test_a_released_sheet_that_another_stands_in_for_is_named(tmp_path):
    disk = casme2_disk(tmp_path, ROWS, name="labels.xlsx")
    casme2_disk(tmp_path, ROWS, header=CASME2_HEADER[:-1])
    (note,) = [note for note in casme2.read(disk).notes if "not read" in note]
    assert "20140508.xlsx, row 1: no column 'Emotion'" in note


@pytest.mark.parametrize("copy", ["img59.png", "reg_img059.jpg", "reg_img59 (1).jpg", "reg_img59 - Copy.jpg"])
def test_two_images_of_one_frame_are_named(tmp_path, copy):
    disk = casme2_disk(tmp_path, ROWS)
    (tmp_path / "CASME2/Cropped/sub01/EP02_01f" / copy).touch()
    (problem,) = casme2.read(disk).problems
    assert problem.sample == "CASME2/sub01/EP02_01f" and problem.row == 2
    assert "two images of one frame number" in problem.what and copy in problem.what and "reg_img59.jpg" in problem.what


@pytest.mark.parametrize(
    ("kept", "gap"),
    [
        ([*range(46, 60), *range(63, 87)], "3 frames missing between 59 and 63"),
        (range(46, 87), ""),
        ([*range(46, 57), *range(59, 80), *range(84, 87)], "6 frames missing between 56 and 84"),
        ([*range(20, 40), *range(46, 87), 99], ""),  # missing before the onset and after the offset
        ([46, 59, 86], "1 frame missing between 59 and 86"),
        ([46, 59, 72, 86], ""),  # a copy of some frames, as evenly as it goes
    ],
)
def test_gaps_between_onset_and_offset_are_noted(tmp_path, kept, gap):
    disk = casme2_disk(tmp_path, ROWS[:1])
    folder = tmp_path / "CASME2/Cropped/sub01/EP02_01f"
    for path in folder.iterdir():
        path.unlink()
    for number in kept:
        (folder / f"reg_img{number}.jpg").touch()
    reading = casme2.read(disk)
    expected = f"1 clip with gaps between onset and offset, such as CASME2/sub01/EP02_01f: {gap}"
    assert reading.notes == [expected] * bool(gap) and len(reading.samples) == 1 and not reading.problems


def test_a_stray_image_of_smic_is_noted(tmp_path):
    for clip in ("s1_ne_01", "s1_ne_02"):
        images(tmp_path / "SMIC/SMIC_all_cropped/HS/s1/micro/negative" / clip, "reg_image{}.bmp", 10, 40)
    assert not smic.read(tmp_path).notes
    for clip in ("s1_ne_01", "s1_ne_02"):
        images(tmp_path / "SMIC/SMIC_all_cropped/HS/s1/micro/negative" / clip, "mean_face_{}.bmp", 99999, 99999)
    gap = "SMIC/HS/s1_ne_01: 99958 frames missing between 40 and 99999"
    assert smic.read(tmp_path).notes == [f"2 clips with gaps between onset and offset, such as {gap}"]


@pytest.mark.parametrize("cell", ["4.9", "1O", "-4", "foo", "4+7+x", "12+146"])
def test_a_typo_in_an_au_cell_is_a_problem(tmp_path, cell):
    disk = casme2_disk(tmp_path, [[*ROWS[0][:7], cell, "happiness"], *ROWS[1:]])
    reading = casme2.read(disk)
    (problem,) = reading.problems
    assert problem.row == 2 and f"'Action Units' holds {cell!r}" in problem.what and len(reading.samples) == 2


@pytest.mark.parametrize(
    "place",
    [
        "CASME2/Cropped-updated/Cropped/sub{:02d}",
        "casme2/cropped/{}",
        "CASME_II/CROPPED/Sub{:02d}",
        "CASME2/CASME2_RAW_selected/sub{:02d}",
    ],
)
def test_folders_under_other_names_are_found(tmp_path, place):
    workbook(tmp_path / place.split("/")[0] / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, ROWS[0]])
    images(tmp_path / place.format(1) / "ep02_01F", "img{:03d}.JPG", 46, 86)
    images(tmp_path / place.format(11) / "EP02_01f", "img{}.jpg", 1, 2)
    for root in (tmp_path, tmp_path / place.split("/")[0]):
        reading = casme2.read(root)
        assert len(reading.samples["frames"][0]) == 41 and not reading.problems
        assert any("raw frames" in note for note in reading.notes) == ("RAW" in place)


def test_a_corpus_that_is_not_there_says_where_it_was_looked_for(tmp_path):
    for module in CORPORA.values():
        with pytest.raises(CorpusMissing, match=f"(?s){tmp_path}"):
            module.read(tmp_path)
    workbook(tmp_path / "CASME2" / "x.xlsx", [CASME2_HEADER, ROWS[0]])
    with pytest.raises(CorpusMissing, match="holds none of Cropped, Cropped-updated/Cropped"):
        casme2.read(tmp_path)


def excel_2(rows: list[list]) -> bytes:
    """A worksheet in the oldest form of .xls (BIFF2): BOF, a LABEL or NUMBER record a cell, EOF."""
    records = [struct.pack("<HHHH", 0x0009, 4, 2, 0x10)]
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if isinstance(value, str):
                text = value.encode("ascii")
                records.append(struct.pack("<HHHH3xB", 0x0004, 8 + len(text), i, j, len(text)) + text)
            elif value is not None:
                records.append(struct.pack("<HHHH3xd", 0x0003, 15, i, j, value))
    return b"".join([*records, struct.pack("<HH", 0x000A, 0)])


def test_sheets_as_csv_and_xls_read_the_same(tmp_path):
    expected = casme2.read(casme2_disk(tmp_path, ROWS)).samples
    (tmp_path / "CASME2/CASME2-coding-20140508.xlsx").unlink()
    sheet = tmp_path / "CASME2/CASME2-coding-20140508.csv"
    with open(sheet, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=";").writerows([CASME2_HEADER, *ROWS])
    pd.testing.assert_frame_equal(casme2.read(tmp_path).samples, expected)
    for encoding in ("utf-16", "utf-16-be"):  # the first is Excel's "Unicode text"
        with open(sheet, "w", newline="", encoding=encoding) as file:
            file.write("\ufeff" * (encoding == "utf-16-be") + "coded by A, B and C\n")  # a note above the header
            csv.writer(file, delimiter="\t").writerows([CASME2_HEADER, *ROWS])
        pd.testing.assert_frame_equal(casme2.read(tmp_path).samples, expected)
    sheet.write_bytes(sheet.read_bytes()[:-1])
    with pytest.raises(SheetError, match="20140508.csv: cannot be read as a sheet"):
        casme2.read(tmp_path)
    sheet.unlink()
    sheet.with_suffix(".xls").write_bytes(excel_2([CASME2_HEADER, *ROWS]))
    pd.testing.assert_frame_equal(casme2.read(tmp_path).samples, expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_split_as_its_header_is(tmp_path, delimiter):
    expected = casme2.read(casme2_disk(tmp_path, ROWS)).samples
    (tmp_path / "CASME2/CASME2-coding-20140508.xlsx").unlink()
    with open(tmp_path / "CASME2/CASME2-coding-20140508.csv", "w", newline="") as file:
        file.write('"notes, by A; B\tand C; read, them", first\n\n')
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([CASME2_HEADER, *ROWS])
    pd.testing.assert_frame_equal(casme2.read(tmp_path).samples, expected)


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    for name in ("a.xlsx", "a.xls"):
        write(tmp_path / "CASME2" / name, "not a workbook")
        with pytest.raises(SheetError, match=f"{name}: cannot be read as a sheet"):
            casme2.read(tmp_path)
        (tmp_path / "CASME2" / name).unlink()
    with pytest.raises(SheetError, match="no annotation sheet"):
        casme2.read(tmp_path / "CASME2" / "..")


def test_the_first_sheet_that_has_the_columns_is_read(tmp_path):
    expected = casme2.read(casme2_disk(tmp_path, ROWS)).samples
    book = openpyxl.Workbook()
    book.active.title = "README"
    book.active.append(["Subject", "who is seen"])
    for title, header in (("codes", CASME2_HEADER[:-1]), ("data", CASME2_HEADER), ("copy", CASME2_HEADER)):
        sheet = book.create_sheet(title)
        for row in (header, *(ROWS if title == "data" else ROWS[:1])):
            sheet.append(row)
    path = tmp_path / "CASME2/CASME2-coding-20140508.xlsx"
    book.save(path)
    pd.testing.assert_frame_equal(casme2.read(tmp_path).samples, expected)
    del book["data"], book["copy"]
    book.save(path)
    message = r"0508.xlsx, sheet 'codes', row 1: no column 'Emotion' .*\(sheets looked at: 'README', 'codes'\)"
    with pytest.raises(SheetError, match=message):
        casme2.read(tmp_path)


def test_of_a_workbook_the_sheet_asked_for_is_read(tmp_path):
    columns, path = {"Filename": ("name",)}, tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    for title in ("first", "label"):
        sheet = book.create_sheet(title)
        sheet.append(["name"])
        sheet.append([title])
    book.save(path)
    for title, read in (("label", "label"), ("other", "first"), (None, "first")):
        (row,) = read_sheet(str(path), columns, title=title).rows
        assert row.cells == {"Filename": read}
    book["label"]["A1"] = "no such column"
    book.save(path)
    with pytest.raises(SheetError, match="a.xlsx, row 1: no column 'Filename'"):
        read_sheet(str(path), columns, title="label")


SAMM_ROWS = [
    ["006", "006_1_2", "x", 5562, 5588, 5632, "=F15-D15", "Micro", "L12A+25", "Anger", 3, None],
    ["028", "028_4_1", "x", 1100, 1143, 1134, None, "Micro", "(R6 or R12)+R15", "Other", 7, None],
    ["032", "032_3_1", "x", 4896, 1930, 4920, None, "Micro", "R14+17+soft focus", "Contempt", 1, None],
]


@pytest.mark.parametrize(("notes", "edition"), [(13, "notes above the header"), (0, "header in row 1")])
def test_samm_in_both_forms_with_its_errata(tmp_path, notes, edition):
    rows = [["Subject to change"]] * notes + [SAMM_HEADER, *SAMM_ROWS]
    workbook(tmp_path / "SAMM/SAMM_Micro_FACS_Codes_v2.xlsx", rows)
    for row in SAMM_ROWS:
        images(tmp_path / "SAMM" / row[0] / row[1], row[0] + "_{:05d}.jpg", row[3], row[5])
    reading = samm.read(tmp_path)
    assert reading.edition == edition and not reading.problems
    assert reading.samples["apex"].tolist() == [5588, 1117, 4908]
    assert reading.samples["aus"].tolist() == [(12, 25), (6, 12, 15), (14, 17)]
    assert [c.sample for c in reading.corrections] == ["SAMM/028/028_4_1", "SAMM/032/032_3_1"]
    assert "soft focus" in reading.notes[0] and f"row {notes + 4}" in reading.notes[0]


def test_a_clip_of_another_subject_is_refused(tmp_path):
    workbook(tmp_path / "SAMM/samm.xlsx", [SAMM_HEADER, [7, *SAMM_ROWS[0][1:]]])
    images(tmp_path / "SAMM/006/006_1_2", "006_{:05d}.jpg", 5562, 5632)
    (problem,) = samm.read(tmp_path).problems
    assert "'Subject' holds 7, expected subject 6 of clip 006_1_2" in problem.what


@pytest.mark.parametrize(("frames", "corrected"), [((1, 46, 40), (1, 40, 46)), ((1, 99, 40), (1, 20, 40))])
def test_an_apex_after_its_offset_is_corrected_in_the_open(tmp_path, frames, corrected):
    """The two are swapped; an apex that is no frame of the clip becomes the midpoint."""
    workbook(tmp_path / "MMEW/MMEW_Micro_Exp.xlsx", [MMEW_HEADER, [5, "S05-01-001", *frames, "4", "disgust"]])
    images(tmp_path / "MMEW/Micro_Expression/disgust/S05-01-001", "{}.jpg", 1, 59)
    header = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"]
    row = [5, "EP01_01", None, *frames[:2], 0, frames[2], None, "4", "disgust"]
    workbook(tmp_path / "CASME/casme.xlsx", [header, row])
    images(tmp_path / "CASME/Cropped/sub05/EP01_01", "reg_EP01_01-{}.jpg", 1, 59)
    for module in (mmew, casme):
        reading = module.read(tmp_path)
        assert reading.samples[["onset", "apex", "offset"]].to_numpy().tolist() == [list(corrected)]
        assert not reading.problems and all("the apex lies after the offset" in c.why for c in reading.corrections)
        assert len(reading.corrections) == (2 if corrected[2] == 46 else 1)


def test_mmew_micro_and_macro(tmp_path):
    header = MMEW_HEADER.copy()
    header[5] = "微表情"
    rows = [header, [13, "S13-07-001", 1, 4, 9, "4,7", "Happiness"], [1, "S01-02-003", 2, 3, 5, 12, "others", "!"]]
    workbook(tmp_path / "MMEW/MMEW_Micro_Exp.xlsx", rows)
    images(tmp_path / "MMEW/Micro_Expression/happiness/S13-07-001", "{}.jpg", 1, 12)
    images(tmp_path / "MMEW/Micro_Expression/Others/S01-02-003", "{}.jpg", 1, 12)
    images(tmp_path / "MMEW/Macro_Expression/S01/fear", "S01-06-{:03d}.jpg", 3, 11)
    images(tmp_path / "MMEW/Macro_Expression/S01/fear", "S01-07-{:03d}.jpg", 1, 8)
    reading = mmew.read(tmp_path)
    path, table = f"{tmp_path}/MMEW/MMEW_Micro_Exp.xlsx", reading.samples
    assert reading.notes == [f"{path}, row 1: '微表情' (column 6) is taken for Action Units by its place"]
    assert table["sample"].tolist() == ["MMEW/S01/S01-02-003", "MMEW/S13/S13-07-001"]
    assert table["aus"].tolist() == [(12,), (4, 7)] and table["apex"].tolist() == [3, 4]
    assert table["frames"][1].numbers == tuple(range(1, 13))
    macro, other = (row for _, row in mmew.read_macro(tmp_path).samples.iterrows())
    assert other["sample"] == "MMEW/macro/S01/fear/S01-07" and other["frames"].numbers == tuple(range(1, 9))
    assert (macro["subject"], macro["emotion"], macro["onset"], macro["offset"]) == ("MMEW/S01", "fear", 3, 11)
    assert macro["apex"] is pd.NA


def test_casme(tmp_path):
    header = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"]
    rows = [
        [1, "EP01_12", None, 73, 81, 0, 91, None, 4, "disgust"],
        [19, "EP07_4", None, 8, 9, 0, 11, None, "1+2", "Tense"],
    ]
    workbook(tmp_path / "CASME/casme.xlsx", [header, *rows])
    images(tmp_path / "CASME/Cropped/sub01/EP01_12", "reg_EP01_12-{}.jpg", 70, 95)
    images(tmp_path / "CASME/Cropped/sub19/EP07_4", "reg_EP07_4-{:03d}.jpg", 1, 20)
    table = casme.read(tmp_path).samples
    assert table["apex"].tolist() == [81, 9] and table["emotion"].tolist() == ["disgust", "tense"]
    assert Path(table["frames"][1].path(9)).name == "reg_EP07_4-009.jpg"


CASME3_ROWS = [  # subject, recording, onset, apex, offset, AU, objective class, emotion
    ["spNO.1", "a", 355, 361, 366, "4+7", 1, "disgust"],
    ["spNO.1", "a", 30, 36, 44, "12", 2, "Others"],
    ["spNO.2", "a", 20, 20, 30, 1, 2, "happy"],
    ["spNO.2", "b", 0, 6, 9, 1, 2, "sad"],
    ["spNO.2", "c", 30, 36, 33, 1, 2, "anger"],
    ["spNO.2", "d", 30, 25, 20, 1, 2, "anger"],
    ["spNO.40", "e", 2327, 2363, 0, 1, 2, "anger"],
]


def test_both_editions_of_a_label_list(tmp_path):
    """The first names wrong micro-expressions: the second is read, the first where it is asked for."""
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    name = "annotation/partA/cas(me)3_part_A_ME_label_JpgIndex_v{}.xlsx"
    workbook(tmp_path / "CASME3" / name.format(2), [header, CASME3_ROWS[0]], "label")
    workbook(tmp_path / "CASME3" / name.format(1), [header, *CASME3_ROWS[:2]], "label")
    workbook(tmp_path / "CASME3/annotation/partA/cas(me)3_part_A_MaE_label_JpgIndex_v2.xlsx", [header, CASME3_ROWS[1]])
    images(tmp_path / "CASME3/part_A/spNO.1/a/color", "{}.jpg", 1, 400)
    reading = casme3.read(tmp_path)
    assert reading.edition == "v2" and reading.editions == ("v2", "v1") and len(reading.samples) == 1
    assert reading.notes[0].startswith("not read: ") and "MaE" in reading.notes[0]
    assert reading.notes[1] == f"editions found: v2, v1; read {Path(name.format(2)).name}"
    first = casme3.read(tmp_path, edition="v1")
    assert first.editions == ("v1", "v2") and set(first.samples["edition"]) == {"v1"} and len(first.samples) == 2


@pytest.mark.parametrize("base", ["part_A_split/part_A", "part_A"])
def test_casme3_and_its_rules(tmp_path, base):
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    workbook(tmp_path / "CASME3/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", [header, *CASME3_ROWS], "label")
    for row in CASME3_ROWS:
        first = max(row[2] - 30, 1)
        images(tmp_path / "CASME3" / base / row[0] / row[1] / "color", "{}.jpg", first, first + 400)
    (tmp_path / "CASME3" / base / "spNO.1/a/color/361.jpg").unlink()
    for lost in range(18, 28):  # more than may be stood in for
        (tmp_path / "CASME3" / base / "spNO.2/a/color" / f"{lost}.jpg").unlink()
    reading = casme3.read(tmp_path)
    frames = {row["sample"]: (row["onset"], row["apex"], row["offset"]) for _, row in reading.samples.iterrows()}
    assert frames == {
        "CASME3/spNO.1/a/355": (355, 360, 366),
        "CASME3/spNO.1/a/30": (30, 36, 44),
        "CASME3/spNO.2/a/20": (17, 17, 30),
        "CASME3/spNO.2/b/0": (1, 6, 9),
        "CASME3/spNO.2/c/30": (30, 33, 36),
        "CASME3/spNO.40/e/2327": (2327, 2363, 2403),
    }
    assert [(c.sample, c.what) for c in reading.corrections] == [
        ("CASME3/spNO.1/a/355", "361 → 360"),
        ("CASME3/spNO.2/a/20", "20 → 17"),
        ("CASME3/spNO.2/a/20", "20 → 17"),
        ("CASME3/spNO.2/b/0", "0 → 1"),
        ("CASME3/spNO.2/c/30", "36 → 33"),
        ("CASME3/spNO.2/c/30", "33 → 36"),
        ("CASME3/spNO.40/e/2327", "0 → 2403"),
    ]
    assert {problem.row for problem in reading.problems} == {7}
    assert "1 clips with their apex at the onset" in reading.notes[-1]


ERRATA = [  # recording, onset, apex, offset as printed, and as in the full list of the release
    ("spNO.216", "d", (3647, 2655, 2660), (2647, 2655, 2660)),
    ("spNO.40", "e", (1812, 1830, 0), (1812, 1830, 1845)),
    ("spNO.40", "e", (2327, 2363, 0), (2327, 2363, 2403)),
    ("spNO.149", "d", (112, 83, 170), (112, 160, 170)),
    ("spNO.214", "c", (5, 20, 3460), (5, 20, 34)),
]


@pytest.mark.parametrize(("person", "clip", "given", "right"), ERRATA)
def test_errata_of_casme3(tmp_path, person, clip, given, right):
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    row = [person, clip, *given, "4", 1, "disgust"]
    workbook(tmp_path / "CASME3/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", [header, row], "label")
    images(tmp_path / "CASME3/part_A" / person / clip / "color", "{}.jpg", right[0], right[2])
    reading = casme3.read(tmp_path)
    assert reading.samples[["onset", "apex", "offset"]].to_numpy().tolist() == [list(right)]
    assert len(reading.corrections) == 1 and not reading.problems


def test_casme3_extracted_clips(tmp_path):
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    workbook(tmp_path / "CASME3/label.xlsx", [header, CASME3_ROWS[0]], "label")
    images(tmp_path / "CASME3/part_A/spNo.1_a_355", "{}.jpg", 355, 366)
    assert len(casme3.read(tmp_path).samples["frames"][0]) == 12


def test_two_rows_of_the_same_images_are_named(tmp_path):
    """A folder that is missing is not replaced by another row's whose name differs in padding alone."""
    rows = [[5, "S05-01-001", 1, 20, 40, "4", "disgust"], [5, "S05-01-01", 1, 20, 40, "4", "disgust"]]
    workbook(tmp_path / "MMEW/MMEW_Micro_Exp.xlsx", [MMEW_HEADER, *rows])
    images(tmp_path / "MMEW/Micro_Expression/disgust/S05-01-001", "{}.jpg", 1, 59)
    reading = mmew.read(tmp_path)
    (problem,) = reading.problems
    assert len(reading.samples) == 1 and problem.row == 3 and "are those of MMEW/S05/S05-01-001" in problem.what


def test_smic_cameras_and_apex_list(tmp_path):
    for camera, clip in (("HS", "s1_ne_01"), ("HS", "s11_sur_02"), ("VIS", "s11_po_01"), ("VIS", "s1_ne_01")):
        emotion = {"ne": "negative", "po": "positive", "sur": "surprise"}[clip.split("_")[1]]
        person = tmp_path / "SMIC/SMIC_all_cropped" / camera / clip.split("_")[0]
        images(person / "micro" / emotion / clip, "reg_image{:06d}.bmp", 1020, 1050)
        images(person / "non_micro" / clip, "reg_image{:06d}.bmp", 1, 3)
    table = smic.read(tmp_path).samples
    assert table["sample"].tolist() == ["SMIC/HS/s11_sur_02", "SMIC/HS/s1_ne_01"]
    assert table["emotion"].tolist() == ["surprise", "negative"] and table["apex"].isna().all()
    assert table["onset"].tolist() == [1020, 1020] and table["offset"].tolist() == [1050, 1050]
    assert smic.read(tmp_path, camera="VIS").samples["subject"].tolist() == ["SMIC/s11", "SMIC/s1"]
    write(tmp_path / "SMIC/apex_frames.csv", "Filename,Apex\ns01_ne_01,1033\ns11_sur_2b,1034\n")
    reading = smic.read(tmp_path)
    assert reading.samples["apex"].tolist() == [pd.NA, 1033] and reading.notes[0] == "apex list: 1 of 2 clips"
    assert reading.notes[1].startswith("apex list: 1 rows name no clip here, the first of them row 3 of ")
    assert smic.read(tmp_path, camera="VIS").samples["apex"].isna().all()
    write(tmp_path / "SMIC/apex_vis.csv", "Filename,Apex\ns01_ne_01,1022\n")
    assert smic.read(tmp_path, camera="VIS").samples["apex"].tolist() == [pd.NA, 1022]
    assert smic.read(tmp_path).samples["apex"].tolist() == [pd.NA, 1033]
    write(tmp_path / "casme3_apex.csv", "Filename,Apex\ns11_sur_02,1022\n")  # of another corpus
    assert smic.read(tmp_path).samples["apex"].tolist() == [pd.NA, 1033]
    write(tmp_path / "smic_apex.csv", "Filename,Apex\ns11_sur_02,1022\n")
    assert smic.read(tmp_path).samples["apex"].tolist() == [1022, 1033]


def test_a_person_of_smic_without_the_level_micro_is_named(tmp_path):
    place = tmp_path / "SMIC/SMIC_all_cropped/HS"
    images(place / "s1/micro/negative/s1_ne_01", "{}.bmp", 1, 3)
    images(place / "s2/negative/s2_ne_01", "{}.bmp", 1, 3)
    images(place / "s3/micros/negative/s3_ne_01", "{}.bmp", 1, 3)
    images(place / "s4/non_micro/s4_non_01", "{}.bmp", 1, 3)
    reading = smic.read(tmp_path)
    assert reading.samples["subject"].tolist() == ["SMIC/s1"]
    assert [(Path(p.where).name, p.what) for p in reading.problems] == [
        ("s2", "no folder micro, but negative"),
        ("s3", "no folder micro, but micros"),
    ]


def test_another_person_never_stands_in_for_one_whose_folder_is_missing(tmp_path):
    """Padding is of a number's beginning: spNO.23 is not spNO.203."""
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    rows = [[person, "a", 30, 36, 44, "12", 2, "happy"] for person in ("spNO.23", "spNO.203")]
    workbook(tmp_path / "CASME3/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", [header, *rows], "label")
    images(tmp_path / "CASME3/part_A/spNO.23/a/color", "{}.jpg", 1, 60)
    reading = casme3.read(tmp_path)
    assert reading.samples["subject"].tolist() == ["CASME3/spNO.23"]
    (problem,) = reading.problems
    assert "spNO.203" in str(problem)
    for one, other in (("S101", "S011"), ("10101", "00111"), ("1001", "0011"), ("sub10", "sub1"), ("a100", "a10")):
        assert unpadded(one) != unpadded(other)
    for one, other in (
        ("sub01", "Sub1"),
        ("s01_ne_01", "s1_ne_1"),
        ("00007", "7"),
        ("S000", "S0"),
        ("006_1_2", "6_1_2"),
    ):
        assert unpadded(one) == unpadded(other)


def test_of_two_folders_of_a_corpus_the_one_that_is_read_is_named(tmp_path):
    for name in ("SMIC", "smic"):
        images(tmp_path / name / "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01", "{}.bmp", 1, 3)
    assert "SMIC is read, not smic beside it" in smic.read(tmp_path).notes


@pytest.mark.parametrize("other", ["CAS(ME)^2", "CAS(ME)2", "CAS (ME)²", "cas(me)_2"])
def test_another_corpus_of_a_like_name_is_not_taken_for_casme2(tmp_path, other):
    """CAS(ME)² of 2018, which many people keep beside CASME II."""
    workbook(tmp_path / other / "CAS(ME)^2code_final.xlsx", [["1", "anger1_1", 557, 570, 577]])
    with pytest.raises(CorpusMissing, match="CASME2 not found"):
        casme2.read(tmp_path)
    casme2_disk(tmp_path, ROWS)
    assert len(casme2.read(tmp_path).samples) == 3


def test_an_apex_list_that_counts_otherwise_is_named(tmp_path):
    for clip in ("s1_ne_01", "s1_ne_02", "s1_ne_03"):
        images(tmp_path / "SMIC/SMIC_all_cropped/HS/s1/micro/negative" / clip, "reg_image{:06d}.bmp", 100, 107)
    head = "clip,onset_frame,apex_frame,offset_frame\n"
    write(tmp_path / "SMIC/smic_apex.csv", head + "s01_ne_01,100,104,107\ns01_ne_03,17581039,17581046,17581055\n")
    reading = smic.read(tmp_path)
    assert reading.samples["apex"].tolist() == [104, pd.NA]
    (problem,) = reading.problems
    assert (problem.where, problem.row) == (f"{tmp_path}/SMIC/smic_apex.csv", 3)
    assert "apex 17581046 is none of the frames 100..107" in problem.what and "long recordings" in problem.what
    assert "restore" not in problem.remedy
    write(tmp_path / "SMIC/smic_apex.csv", head + "s01_ne_01,100,104,107\n")
    write(tmp_path / "SMIC/another_apex.csv", head + "s1_ne_01,100,103,107\n")
    (problem,) = smic.read(tmp_path).problems
    assert problem.row == 2 and "apex 104 here, 103 in" in problem.what


def test_ckplus(tmp_path):
    for person, sequence, last in (("S005", "001", 11), ("S010", "002", 14), ("S011", "001", 3)):
        folder = tmp_path / "CK+/cohn-kanade-images" / person / sequence
        images(folder, person + "_" + sequence + "_{:08d}.png", 1, last)
        (tmp_path / "CK+/Emotion" / person / sequence).mkdir(parents=True)
    write(tmp_path / "CK+/Emotion/S005/001/S005_001_00000011_emotion.txt", "   3.0000000e+00\n")
    write(tmp_path / "CK+/Emotion/S011/001/S011_001_00000003_emotion.txt", "   9.0000000e+00\n")
    write(tmp_path / "CK+/FACS/S005/001/S005_001_00000011_facs.txt", "   9.0e+00   4.0e+00\n   1.7e+01   5.0e+00\n")
    reading = ckplus.read(tmp_path)
    labelled = reading.samples[reading.samples["emotion"].notna()].iloc[0]
    assert (labelled["emotion"], labelled["aus"], labelled["au_codes"]) == ("disgust", (9, 17), "9=4 17=5")
    assert (labelled["onset"], labelled["apex"], labelled["offset"]) == (1, 11, 11)
    assert reading.samples["sample"].tolist() == ["CK+/S005/001", "CK+/S010/002", "CK+/S011/001"]
    assert len(reading.problems) == 1 and "no emotion from 0 to 7" in reading.problems[0].what


def test_the_numbers_of_emotions_of_ckplus_and_its_peak(tmp_path):
    """A label is named after the peak, where a sequence goes on, too."""
    words = "neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"
    for number in range(8):
        images(tmp_path / f"CK+/cohn-kanade-images/S{number:03d}/001", "S_001_{:08d}.png", 1, 11)
        write(tmp_path / f"CK+/Emotion/S{number:03d}/001/S_001_00000009_emotion.txt", f"   {number}.0000000e+00\n")
    samples = ckplus.read(tmp_path).samples
    assert samples["emotion"].tolist() == list(words)
    assert set(samples["apex"]) == set(samples["offset"]) == {9}


def test_action_units_that_are_missed_are_said(tmp_path):
    images(tmp_path / "CK+/cohn-kanade-images/S005/001", "S005_001_{:08d}.png", 1, 11)
    write(tmp_path / "CK+/Emotion/S005/001/S005_001_00000011_emotion.txt", "3.0\n")
    reading = ckplus.read(tmp_path)
    assert len(reading.samples) == 1
    assert reading.notes == [f"no action units: found no *_facs.txt at {tmp_path}/CK+, expected {tmp_path}/CK+/FACS"]


def test_mmi_frontal_clips(tmp_path):
    for session, view, emotion in (("1", 0, 4), ("2", 1, 4), ("30", 0, 9)):
        folder = tmp_path / "MMI/Sessions" / session
        write(folder / "S002-001.avi", "")
        write(folder / "S002-001.xml", f'<clip><Metatag Name="Emotion" Value="{emotion}"/></clip>')
        write(
            folder / "session.xml",
            f'<session><subject id="2"/><track view="{view}" filename="S002-001.avi"/></session>',
        )
    reading = mmi.read(tmp_path)
    (row,) = reading.samples.to_dict("records")
    assert (row["sample"], row["subject"], row["emotion"]) == ("MMI/1/S002-001", "MMI/S002", "happiness")
    assert isinstance(row["frames"], Video)
    assert reading.notes == ["left out: 1 clips of other views, 1 without one of the six emotions"]


@pytest.mark.parametrize(("views", "read"), [("0", 2), ("00", 2), ("01", None)])
def test_clips_of_mmi_that_no_track_names_are_frontal_where_all_tracks_are(tmp_path, views, read):
    folder = tmp_path / "MMI/Sessions/1"
    for clip in ("S002-001", "S002-002"):
        write(folder / f"{clip}.avi", "")
        write(folder / f"{clip}.xml", '<clip><Metatag Name="Emotion" Value="4"/></clip>')
    tracks = "".join(f'<track view="{view}"/>' for view in views)
    write(folder / "session.xml", f'<session><subject id="2"/>{tracks}</session>')
    reading = mmi.read(tmp_path)
    assert len(reading.samples) == (read or 0)
    problems = [problem.what for problem in reading.problems]
    clips = ("S002-001", "S002-002") if read is None else ()
    assert problems == [f"none of its tracks, of several views, names {clip}" for clip in clips]


def test_the_numbers_of_emotions_of_mmi(tmp_path):
    for number in range(1, 7):
        folder = tmp_path / "MMI/Sessions" / str(number)
        write(folder / "S002-001.avi", "")
        write(folder / "S002-001.xml", f'<clip><Metatag Name="Emotion" Value="{number}"/></clip>')
        write(folder / "session.xml", '<session><subject id="2"/><track view="0" filename="S002-001.avi"/></session>')
    words = ["anger", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert mmi.read(tmp_path).samples["emotion"].tolist() == words


@pytest.mark.parametrize("base", ["PreProcess_Img/VL_Acropped", "PreProcess/VL_Acropped", "OriginalImg/VL"])
def test_oulu(tmp_path, base):
    images(tmp_path / "Oulu-CASIA" / base / "Strong/P001/Happiness", "{:03d}.jpeg", 0, 9)
    row = oulu.read(tmp_path).samples.iloc[0]
    assert (row["sample"], row["emotion"]) == ("Oulu-CASIA/P001/Happiness", "happiness")
    assert (row["onset"], row["apex"], row["offset"]) == (0, 9, 9)


def dfew_disk(root: Path, spelling: str = "single_labeled") -> Path:
    for clip in range(1, 7):
        images(root / "DFEW/Clip/clip_224x224" / f"{clip:05d}", f"{clip:05d}" + "_{:05d}.jpg", 1, 4)
    for fold in range(1, 4):
        for side in ("train", "test"):
            tested = {2 * fold - 1, 2 * fold}
            clips = tested if side == "test" else set(range(1, 7)) - tested
            rows = "".join(f"{clip:05d},{clip}\n" for clip in sorted(clips))
            write(root / f"DFEW/EmoLabel_DataSplit/{side}({spelling})/set_{fold}.csv", "video_name,label\n" + rows)
    return root


@pytest.mark.parametrize("spelling", ["single_labeled", "single-labeled"])
def test_dfew_folds(tmp_path, spelling):
    table = dfew.read(dfew_disk(tmp_path, spelling)).samples
    assert table["emotion"].tolist() == ["happy", "sad", "neutral", "angry", "surprise", "disgust"]
    assert table["split"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert table["onset"].tolist() == [1] * 6 and table["offset"].tolist() == [4] * 6


def test_clips_without_a_label_are_for_self_supervision_alone(tmp_path):
    dfew_disk(tmp_path)
    images(tmp_path / "DFEW/Clip/clip_224x224/00009", "00009_{:05d}.jpg", 1, 4)
    for place in ("Train_AFEW/Sad/01", "Val_AFEW/Sad/02", "Test_AFEW/a/deep/03", "Test_AFEW/04", "Test_AFEW/frames/05"):
        images(tmp_path / "AFEW" / place, "{:03d}.jpg", 1, 3)
    for name in ("06.avi", "05.avi", "a/03.mp4", "._06.avi"):
        write(tmp_path / "AFEW/Test_AFEW" / name, "")
    wild = pd.concat([dfew.read(tmp_path).samples, afew.read(tmp_path).samples], ignore_index=True)
    bare = wild[wild["emotion"].isna()]
    names = ("04", "06", "a/deep/03", "frames/05")
    assert bare["sample"].tolist() == ["DFEW/00009", *(f"AFEW/test/{name}" for name in names)]
    assert bare["split"].tolist() == [None, *["test"] * 4] and isinstance(bare["frames"].iloc[2], Video)
    assert not set(TASKS["wild-7"].select(wild)["sample"]) & set(bare["sample"])
    found = corpus_counts(dfew.read(tmp_path).samples)
    assert (found["samples"], found["labelled samples"], found["set 1 test"], found["set 1 train"]) == (7, 6, 2, 4)
    assert "labelled subjects" not in found, "nobody's identity is known"


def test_dfew_contradictions(tmp_path):
    sheet = dfew_disk(tmp_path) / "DFEW/EmoLabel_DataSplit/test(single_labeled)/set_2.csv"
    sheet.write_text("video_name,label\n00003,3\n00004,9\n00001,7\n00003,3\n")
    what = [(p.row, p.what) for p in dfew.read(tmp_path).problems if p.where.endswith("test(single_labeled)/set_2.csv")]
    assert [row for row, _ in what] == [3, 4, 5]
    assert "'label' holds 4" not in what[0][1] and "holds 9, expected 1 to 7" in what[0][1]
    assert "00001 is fear here and happy in" in what[1][1] and "00003 is listed twice" in what[2][1]


def test_ferv39k_and_afew(tmp_path):
    images(tmp_path / "FERV39k/2_ClipsforFaceCrop/Action/Happy/0267", "{}.jpg", 0, 5)
    write(tmp_path / "FERV39k/4_setups/All_scenes/train_All.csv", "Action/Happy/0267 Happy\nnonsense\n")
    images(tmp_path / "FERV39k/2_ClipsforFaceCrop/Crime/Sad/0001", "{}.jpg", 0, 5)
    write(tmp_path / "FERV39k/4_setups/All_scenes/test_All.csv", "Crime/Sad/0001 Fear\n")
    reading = ferv39k.read(tmp_path)
    assert reading.samples[["sample", "emotion", "split"]].to_numpy().tolist() == [
        ["FERV39k/Action/Happy/0267", "happy", "train"],
        ["FERV39k/Crime/Sad/0001", "fear", "test"],  # the list's word
    ]
    assert [problem.row for problem in reading.problems] == [2]
    write(tmp_path / "AFEW/Train_AFEW/Angry/000046280.avi", "")
    images(tmp_path / "AFEW/Val_AFEW/Sad/001", "{:03d}.jpg", 1, 3)
    table = afew.read(tmp_path).samples
    assert table[["emotion", "split"]].to_numpy().tolist() == [["angry", "train"], ["sad", "val"]]
    assert isinstance(table["frames"][0], Video) and len(table["frames"][1]) == 3
    images(tmp_path / "AFEW/Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000046280", "{:03d}.jpg", 1, 3)
    images(tmp_path / "AFEW/Train_AFEW/Bored/7", "{:03d}.jpg", 1, 3)
    reading = afew.read(tmp_path)
    assert len(reading.samples) == 2 and [Path(p.where).name for p in reading.problems] == ["Bored"]


def test_emotionet(tmp_path):
    images(tmp_path / "EmotioNet/N_0000000001", "N_0000000001_{:05d}.jpg", 1, 3)
    write(
        tmp_path / "EmotioNet/EmotioNet_FACS_aws_2020_24600.csv",
        "URL,URL orig, 'AU 1','AU 12' ,'AU 43'\n"
        "http://x/N_0000000001/N_0000000001_00001.jpg,http://y,1,0,999\n"
        "http://x/N_0000000001/N_0000000001_00009.jpg,http://y,1,0,0\n"
        "http://x/N_0000000001/N_0000000001_00003.jpg,http://y,1,2,0\n",
    )
    reading = emotionet.read(tmp_path)
    assert reading.samples["au_codes"].tolist() == ["1=1 12=0", "", ""]
    assert reading.samples["aus"].tolist() == [(1,), (), ()]
    assert emotionet.scored("1=1 12=0") == {1: 1, 12: 0}
    units, unseen = reading.notes
    assert units.startswith("57 units have no column in ") and units.endswith("which has AU 1, AU 12, AU 43")
    assert unseen == "1 rows of the sheet have no image on disk, left out"
    assert [(p.row, "'AU 12'" in p.what) for p in reading.problems] == [(4, True)]


def test_units_of_emotionet_are_found_by_padded_numbers_or_missed_in_the_open(tmp_path):
    images(tmp_path / "EmotioNet/N_0000000001", "N_0000000001_{:05d}.jpg", 1, 1)
    sheet, image = tmp_path / "EmotioNet/EmotioNet_FACS_aws_2020_24600.csv", "N_0000000001/N_0000000001_00001.jpg"
    write(sheet, "URL," + ",".join(f"AU{unit:02}" for unit in range(1, 61)) + f"\n{image}" + ",1" * 60 + "\n")
    reading = emotionet.read(tmp_path)
    assert reading.samples["aus"].tolist() == [tuple(range(1, 61))] and not reading.notes
    write(sheet, f"URL,unit 1,unit 2\n{image},1,0\n")
    with pytest.raises(SheetError, match="no column of a unit; name them AU 1, AU 2 and so on"):
        emotionet.read(tmp_path)
