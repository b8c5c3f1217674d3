"""Records are whole or not there, and none is taken for another's."""

import errno
import json
import os
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.errors import UserError
from shared.records import fingerprint, read_json, refuse_others, replacing, write_json


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_what_is_written_comes_back_in_its_order(tmp_path):
    content = {"z": [1, 2.5, None], "a": {"†": "é"}, "n": np.float32(0.5), "v": np.arange(3), "p": Path("x")}
    write_json(tmp_path / "deep" / "record.json", content)
    found = read_json(tmp_path / "deep" / "record.json")
    assert found == {"z": [1, 2.5, None], "a": {"†": "é"}, "n": 0.5, "v": [0, 1, 2], "p": "x"}
    assert list(found) == list(content)
    assert names(tmp_path / "deep") == ["record.json"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_write_that_is_broken_off_leaves_the_old_content(tmp_path, failure):
    path = tmp_path / "record.json"
    write_json(path, "old")
    with pytest.raises(failure), replacing(path) as temporary:
        temporary.write_text('"ne')
        raise failure
    assert read_json(path) == "old"
    assert names(tmp_path) == ["record.json"]


def test_full_disk_is_said_and_the_old_content_stays(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write .*record.json: File too large; what was there .* unchanged"):
            write_json(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_json(path) == "old"
    assert names(tmp_path) == ["record.json"]


def test_no_space_at_the_rename_is_said_too(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_json(tmp_path / "record.json", "old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_json(tmp_path / "record.json", "new")
    assert read_json(tmp_path / "record.json") == "old"
    assert names(tmp_path) == ["record.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}/file: "):
        write_json(tmp_path / "file" / "record.json", 1)


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"\0" * 64])
def test_a_record_that_is_not_whole_is_named(tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(UserError, match=f"{tmp_path}/record.json is not a whole record"):
        read_json(tmp_path / "record.json")


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


def test_fingerprint_sees_ids_labels_key_frames_and_lengths_but_not_the_order():
    table = pd.DataFrame({
        "sample": ["a", "b"], "subject": ["s1", "s2"], "target": [0, 1], "onset": [1, 1], "apex": [2, 2],
        "offset": [3, 3], "frames": [(1, 2, 3), (1, 2, 3)],
    })  # fmt: skip
    found = fingerprint(table)
    assert found["samples"] == 2 and found["subjects"] == 2
    assert fingerprint(table.iloc[::-1]) == found
    for column, value in dict(sample="c", subject="s3", target=2, onset=0, apex=3, offset=4, frames=(1, 2)).items():
        changed = table.copy()
        changed.at[1, column] = value
        assert fingerprint(changed) != found, column
    json.dumps(found)
