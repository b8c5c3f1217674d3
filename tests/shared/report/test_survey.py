"""The survey of a disk: what is found beside what is printed, what is missing, what is broken."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook
from PIL import Image

from shared.corpora import CORPORA
from shared.errors import UserError
from shared.files import MARKER
from shared.report.counts import compare, expected_counts, task_counts
from shared.report.printed import DIFFERENCES, PRINTED
from shared.report.survey import CSV_HEADER, PARTS, Part, print_survey, runnable, survey, survey_text, write_csv
from shared.runs.paper import Column, Paper, Row, Table
from shared.tasks import TASKS

HEADER = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]


@dataclass(frozen=True)
class Config:
    pretrain: bool = False


@pytest.fixture
def disk(tmp_path):
    rows = [
        ["01", "EP01", 1, 2, 3, "4+7", "disgust"],
        ["02", "EP02", 1, 2, 3, 12, "happiness"],
        ["04", "EP12_01f", 1, "/", 5, 4, "disgust"],
        ["05", "EP03", 1, "?", 3, 4, "disgust"],
    ]
    for name, header, extra in (("20140508", HEADER, []), ("20190701", [*HEADER, "Objective Classes"], [3])):
        book = Workbook()
        for row in (header, *(row + extra for row in rows)):
            book.active.append(row)
        (tmp_path / "CASME2").mkdir(exist_ok=True)
        book.save(tmp_path / f"CASME2/CASME2-coding-{name}.xlsx")
    for subject, clip, *_ in rows:
        folder = tmp_path / f"CASME2/Cropped/sub{subject}/{clip}"
        folder.mkdir(parents=True)
        for number in range(1, 6):
            (folder / f"reg_img{number}.jpg").touch()
    return tmp_path


def test_editions_counts_corrections_and_broken_rows(disk):
    parts = {part.name: part for part in survey(disk)}
    found = {(name, c.what): c.found for name, part in parts.items() for c in part.counts}
    for edition in ("CASME2 2014", "CASME2 2019"):
        assert found[edition, "samples"] == 3 and found[edition, "subjects"] == 3
        assert found[edition, "disgust"] == 2 and found[edition, "AU 4"] == 2
    assert found["casme2-5", "samples"] == found["casme2-5-2019", "samples"] == 3
    assert found["casme2-5-apex", "samples"] == 2
    assert found["casme2-3", "samples"] == 2, "without the clip that has no apex"
    assert found["casme2-au8", "AU 7"] == 1
    remark = "a subset: 3 of 243 samples (printed in 2021); not compared with the printed counts"
    assert parts["casme2-au8"].remarks == [remark] and not any(c.differs for c in parts["casme2-au8"].counts)
    report = survey_text(parts.values())
    assert "SAMM: SAMM not found; looked for" in report and str(disk / "SAMM") in report
    assert "cde-3: needs SAMM, SMIC" in report
    assert "corrected: CASME2/sub04/EP12_01f, apex: / → 3" in report
    assert "broken rows and clips: 2\n" in report and "20140508.xlsx, row 5 (CASME2/sub05/EP03)" in report
    assert f"\nCASME2 2014 in {disk}/CASME2\n" in report and f"\nCASME2 2019 in {disk}/CASME2\n" in report
    assert report.count("a subset: 3 of 255 samples (release)") == 2 and "not explained" not in report


def test_what_is_no_subset_stands_beside_print():
    found = {"samples": 243, "AU 7": 38, "AU 14": 26, "AU 1": 27}
    counts, remarks = compare("casme2-au8", found, [("printed", {"samples": 243})])
    whys = {c.what: (c.printed, c.differs, c.why) for c in counts if c.what in found}
    assert not remarks and whys["samples"] == (243, False, "")
    assert whys["AU 7"][:2] == (58, True) and "38" in whys["AU 7"][2]
    assert whys["AU 1"] == (26, True, "")
    (count,) = [c for c in counts if c.what == "AU 1"]
    part = Part("casme2-au8", "", counts=[count])
    assert "≠     26 printed in 2021: not explained" in survey_text([part])
    assert "not explained" not in survey_text([part], synthetic=True)
    one_more = compare("SMIC HS", {"samples": 160, "subjects": 17})
    assert not one_more[1], "more than print in one thing is no subset"


def smic_clip(root, camera):
    folder = root / f"SMIC/SMIC_all_cropped/{camera}/s1/micro/negative/s1_ne_01"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / f"reg_image{number}.bmp").touch()


def test_tasks_are_on_the_part_that_runs_read(tmp_path):
    """SMIC by its fast camera alone: without its clips, or with a list that cannot be read, nothing of SMIC runs."""
    smic_clip(tmp_path, "VIS")
    parts = {part.name: part for part in survey(tmp_path)}
    assert "HS" in parts["SMIC HS"].missing and parts["SMIC VIS"].reading and parts["smic-3"].missing
    smic_clip(tmp_path, "HS")
    (tmp_path / "SMIC/apex.csv").write_text("clip,number\ns1_ne_01,2\n")
    parts = {part.name: part for part in survey(tmp_path)}
    assert "Apex" in parts["SMIC HS"].missing and "SMIC NIR" not in parts and parts["smic-3"].missing
    tables = (Table("table1", "Table 1", (Column("a", "smic-3", "accuracy"),), (Row("ours"),)),)
    paper = Paper("toy", "", tmp_path, Config, {}, tables, (), "last", None, None, None)
    assert runnable(parts.values(), [paper]) == [("toy", "table1", "cannot run without SMIC")]
    (tmp_path / "SMIC/apex.csv").unlink()
    parts = {part.name: part for part in survey(tmp_path)}
    assert parts["SMIC HS"].reading and not parts["smic-3"].missing
    assert runnable(parts.values(), [paper]) == [("toy", "table1", "can run")]


@pytest.mark.parametrize("name", ["casme2-au8", "casme2-au8-halves"])
def test_the_released_sheet_s_number_of_clips_is_explained(name):
    counts, _ = compare(name, {"samples": 242, "subjects": 26}, expected_counts(TASKS[name]))
    (samples,) = [c for c in counts if c.what == "samples"]
    assert (samples.found, samples.printed) == (242, 243) and "the 2014 sheet has 242 clips" in samples.why


def test_a_subset_misses_subjects_or_a_tenth_and_whoever_misses_less_is_told_what():
    release = PRINTED["CASME2 2019"][0][1]
    counts, remarks = compare("CASME2 2019", release | {"samples": 253, "disgust": 61})
    differing = {c.what: (c.found, c.printed) for c in counts if c.differs}
    assert not remarks and differing == {"samples": (253, 255), "disgust": (61, 63)}
    for changed in {"samples": 253, "subjects": 25}, {"samples": 229}:
        counts, (remark,) = compare("CASME2 2019", release | changed)
        assert remark.startswith(f"a subset: {changed['samples']} of 255") and not any(c.differs for c in counts)
    assert not compare("CASME2 2019", release | {"samples": 230})[1]  # 229.5 is .9
    assert not compare("SAMM", PRINTED["SAMM"][0][1] | {"samples": 158})[1], "32 subjects are of another source"
    few = [("task", {"samples": 136})]
    assert compare("samm-5", {"samples": 135, "subjects": 26}, few)[1]
    assert not compare("samm-5", {"samples": 135, "subjects": 27}, few)[1]


def test_a_unit_that_is_not_scored_is_not_counted():
    targets = [(1, -1, 0, 1), (0, 1, -1, 1), (-1, 1, 0, 1)]
    samples = pd.DataFrame({"target": targets, "subject": ["a", "b", "b"], "corpus": "CASME"})
    counts = {"samples": 3, "subjects": 2, "AU 1": 1, "AU 4": 2, "AU 9": 0, "AU 14": 3}
    assert task_counts(TASKS["casme-au4"], samples) == counts


def test_csv_holds_the_same(disk, tmp_path):
    parts = survey(disk)
    write_csv(parts, tmp_path / "survey.csv")
    with open(tmp_path / "survey.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_HEADER
    counted = [row for row in rows if row["kind"] == "count"]
    assert len(counted) == sum(len(part.counts) for part in parts)
    assert {"missing", "edition", "correction", "problem", "note"} <= {row["kind"] for row in rows}
    assert not list(tmp_path.glob("*.part"))


def test_command(disk, tmp_path, capsys, monkeypatch):
    assert print_survey(disk, tmp_path / "s.csv") == 0
    assert "CASME2 2014" in capsys.readouterr().out
    monkeypatch.delenv("MER_DATA", raising=False)
    with pytest.raises(UserError, match="CASME/, CASME2/, SAMM/"):
        print_survey(None)
    with pytest.raises(UserError, match="--data DIR or in \\$MER_DATA"):
        print_survey(None)
    with pytest.raises(UserError, match="nowhere is not a folder"):
        print_survey(Path("nowhere"))
    (disk / MARKER).touch()
    monkeypatch.setenv("MER_DATA", str(disk))
    print_survey(None)
    assert capsys.readouterr().out.startswith("synthetic faces: not comparable with the paper")


def test_verify_lists_every_image_that_cannot_be_decoded(disk, tmp_path, capsys, monkeypatch):
    """Images of two editions are listed once, those of two clips with the one that they lie within."""
    monkeypatch.setenv("MER_VERIFY", "")  # restored afterwards
    image = io.BytesIO()
    Image.new("RGB", (9, 9)).save(image, "JPEG")
    good, cut = image.getvalue(), image.getvalue()[:-99]
    for path in disk.rglob("*.jpg"):
        path.write_bytes(good)
    rows = [["spNO.1", "a", 1, 2, 3, 4, 1, "sad"], ["spNO.1", "a", 4, 4, 5, 4, 1, "sad"]]
    recording = disk / "CASME3/part_A/spNO.1/a/color"
    recording.mkdir(parents=True)
    for number in range(1, 8):
        (recording / f"{number}.jpg").write_bytes(good)
    pd.DataFrame(rows, columns=["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Class", "emotion"]).to_csv(
        disk / "CASME3/cas(me)3_part_A_ME.csv", index=False
    )
    assert print_survey(disk, verify=True) == 0
    assert "\nimages that cannot be decoded: 0\n" in capsys.readouterr().out
    clip = disk / "CASME2/Cropped/sub01/EP01"
    (clip / "reg_img2.jpg").write_bytes(b"")
    (clip / "reg_img5.jpg").write_bytes(cut)  # after the offset
    (recording / "5.jpg").write_bytes(b"")
    (recording / "7.jpg").write_bytes(b"GIF89a")
    assert print_survey(disk, tmp_path / "s.csv", verify=True) == 0
    _, _, said = capsys.readouterr().out.partition("\nimages that cannot be decoded: 4\n")
    found = [line.partition(": the image cannot be decoded (")[0].strip() for line in said.splitlines()[:4]]
    assert sorted(found) == [
        f"{clip}/reg_img2.jpg (CASME2/sub01/EP01)",
        f"{clip}/reg_img5.jpg (CASME2/sub01/EP01)",
        f"{recording}/5.jpg (CASME3/spNO.1/a/4)",
        f"{recording}/7.jpg (CASME3/spNO.1/a/1)",
    ]
    with open(tmp_path / "s.csv", newline="", encoding="utf-8") as file:
        problems = [row for row in csv.DictReader(file) if "cannot be decoded" in row["remark"]]
    assert len(problems) == 4 and {row["kind"] for row in problems} == {"problem"}
    assert print_survey(disk) == 0 and "cannot be decoded" not in capsys.readouterr().out


def test_an_empty_folder_holds_no_corpus(tmp_path, capsys):
    assert print_survey(tmp_path) == 2
    assert f"no corpus found in {tmp_path}" in capsys.readouterr().out


def test_what_can_run_is_said_row_by_row(disk, tmp_path, capsys):
    """By a paper of three rows on two tasks; one of them is pre-trained on a corpus that is not there."""
    rows = (Row("plain"), Row("pretrained", pretrain=True), Row("one task", tasks=("casme2-5",)))
    columns = (Column("CASME II", "casme2-5", "accuracy"), Column("SAMM", "samm-5", "accuracy"))
    paper = Paper(
        "toy",
        "",
        tmp_path,
        Config,
        {},
        (Table("table1", "", columns, rows), Table("table2", "", columns, rows[1:2])),
        (),
        "last",
        None,
        None,
        None,
        lambda config, task: {"corpora": ("DFEW",)} if config.pretrain else None,
    )
    expected = [
        ("toy", "table1/one task", "can run"),
        ("toy", "table1/plain", "can run in part without SAMM"),
        ("toy", "table1/pretrained, table2", "cannot run without SAMM, DFEW"),
    ]
    assert runnable(survey(disk), [paper]) == expected
    assert print_survey(disk, tmp_path / "s.csv", papers=iter([paper])) == 0
    assert "\ntoy:\n  can run: table1/one task\n  can run in part without SAMM: " in capsys.readouterr().out
    with open(tmp_path / "s.csv", newline="", encoding="utf-8") as file:
        found = [(row["part"], row["what"], row["remark"]) for row in csv.DictReader(file) if row["kind"] == "rows"]
    assert found == expected


def test_printed_counts_belong_to_something():
    names = {name for readers in PARTS.values() for name in readers} | set(TASKS)
    names |= {f"{name} {edition}" for name, module in CORPORA.items() for edition in getattr(module, "EDITIONS", ())}
    assert set(PARTS) == set(CORPORA) and set(PRINTED) <= names
    for name, what, number in DIFFERENCES:
        assert number in [numbers.get(what) for _, numbers in PRINTED[name]]


def test_printed_emotions_add_up():
    for name in ("CASME2 2014", "CASME2 2019", "SAMM", "SMIC HS", "MMEW", "CASME3 v2", "Oulu-CASIA"):
        numbers = PRINTED[name][0][1]
        others = ("samples", "subjects", *(what for what in numbers if what.startswith("AU")))
        assert sum(number for what, number in numbers.items() if what not in others) == numbers["samples"]
