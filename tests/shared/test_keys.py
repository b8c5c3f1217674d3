"""What a result depends on is in its key: each thing changed by itself is noticed, and named."""

import dataclasses
import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from toy.corpus import read_sheet, write_sheet
from toy.experiments import PAPER

from shared import keys
from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.files import locked, read_json, write_json
from shared.keys import VERIFY, code_key, pixels_key, refuse_others, table_key
from shared.runs.experiment import PretrainingRun
from shared.runs.session import Session
from shared.tasks import TASKS

FOLD = "toy/paper/casme2-5/default/seed-0/CASME2_sub0{}"


@pytest.fixture
def ran(whole, toy, tmp_path):
    """The data and the output of both rows of the toy, to change; and a function that prints the tables from them."""
    data, out = (shutil.copytree(folder, tmp_path / folder.name) for folder in whole)

    def diff(*options, row="table1", paper=PAPER):
        return toy(row, "--data", data, "--out", out, "--diff", *options, paper=paper)

    return data, out, diff


def relabel(data: Path, column: str, value: str) -> None:
    """Change a cell of the sheet's first clip."""
    header, first, *rows = read_sheet(data)
    first[header.index(column)] = value
    write_sheet(data, [header, first, *rows])


def redraw(path: Path, *, keep_times: bool) -> None:
    """Another image in as many bytes; with `keep_times` of the same time of change, as rsync -t leaves it."""
    stat, size = path.stat(), path.stat().st_size
    with Image.open(path) as image:
        pixels = np.asarray(image)
    for other in (255 - pixels, pixels[::-1], pixels[:, ::-1], pixels // 2, np.zeros_like(pixels)):
        Image.fromarray(np.ascontiguousarray(other)).save(path)
        if path.stat().st_size <= size:
            break
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    if keep_times:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_nothing_changed_is_nothing_noticed(ran):
    _, _, diff = ran
    assert diff()[0] == 0 and diff("--verify")[0] == 0


CHANGES = [("Estimated Emotion", "surprise"), ("Action Units", "4+12+17"), ("ApexFrame", "3")]


@pytest.mark.parametrize(("column", "value"), CHANGES, ids=[column for column, _ in CHANGES])
def test_a_label_or_key_frame_is_noticed(ran, column, value):
    data, _, diff = ran
    relabel(data, column, value)
    ended, _, said = diff()
    assert ended == 2 and "data.table: recorded" in said and re.search("or remove .*/default/seed-0 to run it", said)


def test_other_pixels_are_noticed_by_folds_and_pretrainings(ran):
    data, _, diff = ran
    redraw(sorted(data.rglob("*.png"))[1], keep_times=False)
    for row in ("table1/plain", "table1/w/ pre-training"):
        ended, _, said = diff(row=row)
        assert ended == 2 and "pixels" in said
    assert "pretraining.data.CASME2.pixels.size and time of change: recorded" in said


def test_files_that_were_only_copied_are_known_by_content(tmp_path, monkeypatch):
    """Where the record has it; the message says how."""
    (image := tmp_path / "1.png").write_bytes(b"x")
    frames = Frames(str(tmp_path), ("1.png",), (1,))
    samples = pd.DataFrame({"sample": ["a"], "frames": [frames]})
    plain = {"pixels": pixels_key(samples)}
    monkeypatch.setenv(VERIFY, "1")
    whole = {"pixels": pixels_key(samples)}
    os.utime(image, (1, 1))
    refuse_others(tmp_path / "x" / "record.json", whole, {"pixels": pixels_key(samples)})
    monkeypatch.delenv(VERIFY)
    for found, said in ((whole, "--verify compares the files by content, if they were only copied; or "), (plain, "")):
        with pytest.raises(UserError, match=f"\n{said}give another --out, or remove {tmp_path}/x to run it again"):
            refuse_others(tmp_path / "x" / "record.json", found, {"pixels": pixels_key(samples)})


def test_the_key_of_a_pretraining_has_each_of_its_corpora(tmp_path, monkeypatch):
    monkeypatch.setattr(Session, "key", lambda session, corpus: {"table": corpus})
    session = Session(PAPER, tmp_path, tmp_path, "smoke", False, {})
    stage = PretrainingRun(session, TASKS["casme2-5"], session.base, 0, {"corpora": ("CK+", "DFEW")})
    assert stage.settings["data"] == {corpus: {"table": corpus} for corpus in ("CK+", "DFEW")}


def test_pixels_of_the_same_size_and_time_are_noticed_by_verify(ran):
    data, _, diff = ran
    assert diff()[0] == 0  # decoded from where the copy lies
    redraw(sorted(data.rglob("*.png"))[1], keep_times=True)
    assert diff()[0] == 0
    ended, _, said = diff("--verify", row="table1/plain")
    assert ended == 2 and "data.pixels: recorded" in said


def test_other_code_is_noticed_and_may_be_accepted_by_name(ran, monkeypatch):
    _, _, diff = ran
    monkeypatch.setattr(Session, "code", "123456789abc")
    ended, _, said = diff()
    assert ended == 2 and "  code: recorded" in said and "--accept-code" in said
    ended, printed, _ = diff("--accept-code")
    assert ended == 0 and "casme2-5: 4 of 4 records were made by other code (" in printed


def test_another_published_file_under_the_same_name_is_noticed(whole, toy, tmp_path):
    data, _ = whole
    paper = dataclasses.replace(PAPER, files=lambda config: ("start.pth",))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "start.pth").write_bytes(b"one")
    where = ("--data", data, "--out", tmp_path / "out", "--weights", tmp_path / "weights")
    assert toy(*where, paper=paper)[0] == 0
    (tmp_path / "weights" / "start.pth").write_bytes(b"two")
    ended, _, said = toy(*where, paper=paper)
    assert ended == 2 and "published.start.pth: recorded" in said


def test_a_published_file_that_was_missing_at_first_may_come(whole, toy, tmp_path):
    """A first run ends without it, and leaves nothing that refuses the second."""
    data, _ = whole

    def train(training):
        if not (training.weights_dir / "start.pth").exists():
            raise UserError("start.pth is missing")
        PAPER.train(training)

    paper = dataclasses.replace(PAPER, files=lambda config: ("start.pth",), train=train)
    where = ("--data", data, "--out", tmp_path / "out", "--weights", tmp_path)
    assert toy(*where, paper=paper)[0] == 2
    (tmp_path / "start.pth").write_bytes(b"one")
    assert toy(*where, paper=paper)[0] == 0


def test_the_record_of_another_fold_is_none(ran):
    _, out, diff = ran
    shutil.copy(out / f"{FOLD.format(1)}.json", out / f"{FOLD.format(2)}.json")
    ended, _, said = diff()
    assert ended == 2 and "fold: recorded 'CASME2/sub01', now 'CASME2/sub02'" in said and "samples: recorded" in said


def test_folds_of_another_split_are_none(ran):
    _, out, diff = ran
    path = out / f"{FOLD.format(2)}.json"
    record = read_json(path)
    write_json(path, record | {"train": record["train"][1:]})
    ended, _, said = diff()
    assert ended == 2 and "train: recorded 8: " in said and "now 9: " in said


def test_other_settings_in_the_same_place_end_before_anything_is_trained(ran, toy):
    data, out, _ = ran
    for path in sorted(out.glob("toy/paper/casme2-5/default/seed-0/*.json"))[1:]:
        path.unlink()

    def refuse(training):
        raise AssertionError("trained")

    paper = dataclasses.replace(PAPER, train=refuse)
    ended, _, said = toy("table1/plain", "--data", data, "--out", out, "--set", "lr=0.1", paper=paper)
    assert ended == 2 and "was made under other settings" in said and "config.lr: recorded 0.05, now 0.1" in said


def test_settings_under_which_somebody_is_at_work_are_kept(ran, toy):
    """Without a record, too, while another process has claimed a fold; afterwards others may take their place."""
    data, out, _ = ran
    for path in out.glob("toy/paper/casme2-5/default/seed-0/*.json"):
        path.unlink()
    again = ("table1/plain", "--data", data, "--out", out, "--set", "lr=0.1")
    with locked(out / "toy/paper/casme2-5/default/seed-0/.claims/CASME2_sub01.json.lock"):
        ended, _, said = toy(*again)
    assert ended == 2 and "settings.json was made under other settings" in said
    assert toy(*again)[0] == 0


def test_weights_that_are_gone_or_of_another_fold_are_named(ran):
    _, out, diff = ran
    one, two, three = (out / f"{FOLD.format(i)}.safetensors" for i in (1, 2, 3))
    one.unlink()
    shutil.copy(three, two)
    ended, _, said = diff()
    assert ended == 0
    assert "CASME2_sub01.safetensors is missing" in said
    assert "CASME2_sub02.safetensors is not the file that was written" in said
    assert "CASME2_sub03" not in said


def test_code_follows_what_a_module_imports():
    assert code_key("shared.metrics") != code_key("shared.runs.engine")
    assert code_key("shared.runs.engine") == code_key("shared.runs.engine") and len(code_key("toy.train")) == 12


def test_code_can_be_asked_for_in_many_threads_at_once():
    code_key.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(code_key, ["shared.runs.engine"] * 16))) == 1


@pytest.mark.parametrize("changed", ["one", "two", "three", "four", "five"])
def test_code_sees_a_change_in_what_is_imported_and_in_nothing_else(tmp_path, monkeypatch, changed):
    package = tmp_path / f"paper_of_{changed}"
    package.mkdir()
    sources = {
        "__init__": "",
        "one": "from typing import TYPE_CHECKING\nfrom . import two\nif TYPE_CHECKING:\n    from . import five",
        "two": "def f():\n    from .three import x",
        "three": "x = 1",
        "four": "",
        "five": "",
    }
    for name, text in sources.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    code_key.cache_clear()
    before = code_key(f"{package.name}.one")
    (package / f"{changed}.py").write_text("y = 2", encoding="utf-8")
    code_key.cache_clear()
    assert (code_key(f"{package.name}.one") != before) == (changed in ("one", "two", "three"))


def test_files_are_compared_by_content_where_both_sides_know_it(tmp_path, monkeypatch):
    (tmp_path / "1.png").write_bytes(b"pixels")
    samples = pd.DataFrame({"sample": ["a"], "frames": [Frames(str(tmp_path), ("1.png",), (1,))]})
    quick = {"pixels": pixels_key(samples)}
    monkeypatch.setenv(keys.VERIFY, "1")
    thorough = {"pixels": pixels_key(samples)}
    os.utime(tmp_path / "1.png", ns=(1, 1))  # copied without its times
    copied = {"pixels": pixels_key(samples)}
    refuse_others(Path("a"), thorough, copied)
    refuse_others(Path("a"), quick, thorough)
    with pytest.raises(UserError, match="size and time of change: recorded"):
        refuse_others(Path("a"), quick, copied)
    (tmp_path / "1.png").write_bytes(b"PIXELS")
    os.utime(tmp_path / "1.png", ns=(1, 1))
    with pytest.raises(UserError, match="content: recorded"):
        refuse_others(Path("a"), copied, {"pixels": pixels_key(samples)})


def test_each_entry_that_differs_is_named_and_no_other():
    record = {"seed": 0, "config": {"lr": 0.1, "delta": [3, 8], "size": 64}, "data": {"samples": 12}, "code": "abc"}
    wanted = {"seed": 0, "config": {"lr": 0.2, "delta": (3, 8), "size": 64}, "data": {"samples": np.int64(11)}}
    with pytest.raises(UserError) as refused:
        refuse_others(Path("runs/a.json"), record, wanted)
    lines = str(refused.value).splitlines()
    assert "runs/a.json" in lines[0]
    assert lines[1:-1] == ["  config.lr: recorded 0.1, now 0.2", "  data.samples: recorded 12, now 11"]
    assert "--out" in lines[-1]


def test_the_same_settings_are_accepted_as_they_come_back_from_disk(tmp_path):
    wanted = {"config": {"delta": (3, 8), "rate": 1 / 3, "none": None}, "count": np.int64(3)}
    write_json(tmp_path / "record.json", {**wanted, "more": 1})
    refuse_others(tmp_path / "record.json", read_json(tmp_path / "record.json"), wanted)


def test_a_setting_that_only_one_side_has_is_a_difference():
    with pytest.raises(UserError, match="new: recorded 'nothing', now 1"):
        refuse_others(Path("a"), {"config": {}}, {"config": {"new": 1}})
    with pytest.raises(UserError, match="old: recorded 1, now 'nothing'"):
        refuse_others(Path("a"), {"config": {"old": 1}}, {"config": {}})


def test_the_key_of_a_table_sees_ids_labels_key_frames_lengths_and_boxes_but_not_the_order():
    clip = Frames("", ("1.png", "2.png", "3.png"), (1, 2, 3))
    samples = pd.DataFrame(
        {
            "sample": ["a", "b"],
            "subject": ["s1", "s2"],
            "target": [0, 1],
            "emotion": ["x", "y"],
            "aus": [(4,), (12,)],
            "au_codes": ["4", "12"],
            "edition": ["2014", "2014"],
            "fps": [200.0, 200.0],
            "onset": [1, 1],
            "apex": [2, 2],
            "offset": [3, 3],
            "frames": [clip, clip],
        }
    )
    found = table_key(samples)
    assert found["samples"] == 2 and found["subjects"] == 2
    assert table_key(samples.iloc[::-1]) == found
    shorter, boxed = Frames("", clip.names[:2], (1, 2)), Frames("", clip.names, clip.numbers, (0, 0, 4, 4))
    others = dict(sample="c", subject="s3", target=2, emotion="z", au_codes="4", onset=0, apex=3, offset=4)
    others |= dict(aus=(4, 12), edition="2019", fps=30.0)
    for column, value in [*others.items(), ("frames", shorter), ("frames", boxed)]:
        changed = samples.copy()
        changed.at[1, column] = value
        assert table_key(changed) != found, column
    json.dumps(found)
