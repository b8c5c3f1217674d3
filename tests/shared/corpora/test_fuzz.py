"""Two hundred spoilt sheets: each is read right, or refused with the row and the column named."""

import datetime
import random
import re
from pathlib import Path

import openpyxl
import pytest

from shared.corpora import casme, casme2, casme3, mmew, samm
from shared.corpora.sheets import SheetError

VARIANTS = 40  # of each of five sheets
EMOTION, UNITS, NAME, SUBJECT, FRAMES = "emotion", "units", "name", "subject", "frames"

# corpus → sheet, header with the kind of each column, rows, folder of a row's images.
SHEETS = {
    casme2: (
        "CASME2-coding-20140508.xlsx",
        {
            "Subject": SUBJECT,
            "Filename": NAME,
            "": "",
            "OnsetFrame": FRAMES,
            "ApexFrame": FRAMES,
            "OffsetFrame": FRAMES,
            " ": "",
            "Action Units": UNITS,
            "Estimated Emotion": EMOTION,
        },
        [
            ["01", "EP02_01f", None, 46, 59, 86, None, "4+L10", "happiness"],
            ["02", "EP01_11f", None, 91, 96, 99, None, 12, "others"],
            ["26", "EP18_51", None, 98, 100, 104, None, "R14+17", "disgust"],
        ],
        lambda row: f"Cropped/sub{row[0]}/{row[1]}",
    ),
    casme: (
        "casme.xlsx",
        {
            "Subject": SUBJECT,
            "Filename": NAME,
            "": "",
            "OnsetF": FRAMES,
            "ApexF1": FRAMES,
            "ApexF2": "",
            "OffsetF": FRAMES,
            " ": "",
            "AU": UNITS,
            "Emotion": EMOTION,
        },
        [
            [1, "EP01_12", None, 73, 81, None, 91, None, "4+9", "disgust"],
            [2, "EP07_4", None, 8, 9, 10, 11, None, 1, "tense"],
            [19, "EP19_3", None, 1, 5, None, 9, None, "14", "repression"],
        ],
        lambda row: f"Cropped/sub{row[0]:02d}/{row[1]}",
    ),
    samm: (
        "SAMM_Micro_FACS_Codes_v2.xlsx",
        {
            "Subject": SUBJECT,
            "Filename": NAME,
            "Inducement Code": "",
            "Onset Frame": FRAMES,
            "Apex Frame": FRAMES,
            "Offset Frame": FRAMES,
            "Duration": "",
            "Micro": "",
            "Action Units": UNITS,
            "Estimated Emotion": EMOTION,
            "Objective Classes": "",
            "Notes": "",
        },
        [
            ["006", "006_1_2", "x", 5562, 5588, 5632, "=1+1", "M", "L12A+25", "Anger", 3, None],
            ["007", "007_3_1", "x", 10, 20, 30, None, "M", "(R6 or R12)+R15", "Other", 7, "?"],
            ["037", "037_7_2", "x", 99, 100, 101, None, "M", 4, "Surprise", 2, None],
        ],
        lambda row: f"{row[0]}/{row[1]}",
    ),
    mmew: (
        "MMEW_Micro_Exp.xlsx",
        {
            "Subject": SUBJECT,
            "Filename": NAME,
            "OnsetFrame": FRAMES,
            "ApexFrame": FRAMES,
            "OffsetFrame": FRAMES,
            "Action Units": UNITS,
            "Estimated Emotion": EMOTION,
            "remarks": "",
        },
        [
            [13, "S13-07-001", 1, 4, 9, "4,7", "happiness", None],
            [1, "S01-02-003", 2, 3, 5, 12, "others", "!"],
            [30, "S30-02-009", 2, 30, 50, "1+2", "surprise", None],
        ],
        lambda row: f"Micro_Expression/{row[6]}/{row[1]}",
    ),
    casme3: (
        "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
        {
            "Subject": SUBJECT,
            "Filename": NAME,
            "Onset": FRAMES,
            "Apex": FRAMES,
            "Offset": FRAMES,
            "AU": UNITS,
            "Objective class": "",
            "emotion": EMOTION,
        },
        [
            ["spNO.1", "a", 355, 361, 366, "4+7", 1, "disgust"],
            ["spNO.1", "b", 30, 36, 44, 12, 2, "Others"],
            ["spNO.217", "m", 20, 22, 30, "1", 2, "happy"],
        ],
        lambda row: f"part_A/{row[0]}/{row[1]}/color",
    ),
}
WRONG = {
    FRAMES: ["?", True, -5, 3.7, datetime.datetime(2014, 5, 8), "46a", "４６", "1e3"],
    SUBJECT: ["?", False, -1, 2.5, datetime.date(2014, 5, 8), "1 or 2", "one"],
    EMOTION: [7, "joy!", "happines", datetime.date(2014, 5, 8), True, 0.5],
    UNITS: [datetime.date(2014, 4, 7), True, "soft focus", 146, "4+zwölf"],
    NAME: [True, 12.5, "nowhere", datetime.date(2014, 5, 8)],
}


def disk(root: Path, module) -> list[list]:
    """The images of a corpus and the rows of its sheet, header first."""
    _, columns, rows, folder = SHEETS[module]
    places = [i for i, kind in enumerate(columns.values()) if kind == FRAMES]
    for row in rows:
        path = root / module.NAME / folder(row)
        path.mkdir(parents=True)
        for number in range(max(row[places[0]] - 2, 0), row[places[-1]] + 3):
            (path / f"img{number}.jpg").touch()
    return [[name.strip() or None for name in columns], *map(list, rows)]


def spoil(cells: list[list], kinds: list[str], rng: random.Random) -> tuple[str, int, int]:
    """Spoils one thing in place; what was done, and to which row (from 1) and column (from 0)."""
    what = rng.choice(["empty", "rename", "retype", "double"])
    column = rng.choice([i for i, kind in enumerate(kinds) if kind])
    row = rng.randrange(1, len(cells))
    if what == "empty":
        cells[row][column] = rng.choice([None, "", "  "])
    elif what == "rename":
        row = 0
        cells[0][column] = rng.choice(["column", None, "Ünknown", 5])
    elif what == "retype":
        cells[row][column] = rng.choice(WRONG[kinds[column]])
    else:
        cells.insert(rng.randrange(row + 1, len(cells) + 1), list(cells[row]))
    return what, row, column


@pytest.mark.parametrize("module", SHEETS, ids=lambda module: module.NAME)
def test_spoilt_sheets(tmp_path, module):
    name, columns, _, _ = SHEETS[module]
    clean, kinds, headers = disk(tmp_path, module), list(columns.values()), list(columns)

    def save(cells: list[list]) -> None:
        book = openpyxl.Workbook()
        book.active.title = "label"
        for row in cells:
            book.active.append(row)
        book.save(tmp_path / module.NAME / name)

    save(clean)
    right = module.read(tmp_path).samples
    assert len(right) == 3
    compared = [column for column in right.columns if column not in ("au_codes", "aus")]
    for seed in range(VARIANTS):
        cells = [list(row) for row in clean]
        what, row, column = spoil(cells, kinds, random.Random(f"{module.NAME}{seed}"))
        save(cells)
        case = f"{what} row {row + 1} column {headers[column]}: {cells[row][column]!r}"
        try:
            reading = module.read(tmp_path)
        except SheetError as error:
            assert what == "rename", case
            assert "row 1" in str(error) and name in str(error), case
            named = re.sub(r"[^a-z]", "", str(error).lower())
            assert re.sub(r"[^a-z]", "", headers[column].lower()) in named, case
            continue
        known = {record["sample"]: record for record in right.to_dict("records")}
        for record in reading.samples.to_dict("records"):
            assert all(record[c] == known[record["sample"]][c] for c in compared), case
        if what == "rename":
            assert len(reading.samples) == 3, case
        elif what == "double":
            (problem,) = reading.problems
            assert "is there already" in problem.what and f"row {row + 1}" in problem.what, case
            assert len(reading.samples) == 3 and cells[problem.row - 1] == cells[row], case
        elif kinds[column] == UNITS and not reading.problems:
            assert any(f"row {row + 1}:" in note for note in reading.notes), case
        else:
            assert {problem.row for problem in reading.problems} == {row + 1} and len(reading.samples) == 2, case
            if kinds[column] != NAME or what == "empty":
                assert any(repr(headers[column]) in problem.what for problem in reading.problems), case
