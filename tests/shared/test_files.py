"""Records are whole or not there, and none is taken for another's."""

import contextlib
import errno
import fcntl
import os
import socket
import zlib
from pathlib import Path

import numpy as np
import pytest
from toy.shell import no_file_beyond

from shared.errors import UserError
from shared.files import check_writable, held, intact, locked, read_json, replacing, write_binary, write_json
from shared.keys import sha256

OLD = {"a": "old"}


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
    write_json(path, OLD)
    with pytest.raises(failure), replacing(path) as temporary:
        temporary.write_text('{"a": "ne')
        raise failure
    assert read_json(path) == OLD
    assert names(tmp_path) == ["record.json"]


def test_full_disk_is_said_and_the_old_content_stays(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, OLD)
    said = "cannot write .*record.json: File too large; what was there before is unchanged; fix this and rerun"
    with no_file_beyond(10_000), pytest.raises(UserError, match=said):
        write_json(path, {"a": "x" * 100_000})
    assert read_json(path) == OLD
    assert names(tmp_path) == ["record.json"]


def test_no_space_at_the_rename_is_said_too(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_json(tmp_path / "record.json", OLD)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_json(tmp_path / "record.json", {"a": "new"})
    assert read_json(tmp_path / "record.json") == OLD
    assert names(tmp_path) == ["record.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}/file: "):
        write_json(tmp_path / "file" / "record.json", OLD)


def test_a_disk_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}: No locks available"):
        locked(tmp_path / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"\0" * 64, b"[1]", b"null", b"7", b"[" * 9999])
def test_a_record_that_is_not_whole_is_named(tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(UserError, match=f"{tmp_path}/record.json is not a whole record"):
        read_json(tmp_path / "record.json")


def test_no_byte_of_a_record_changes_unseen(tmp_path):
    """Each may: what is read is refused, or means the same."""
    path = tmp_path / "record.json"
    write_json(path, {"scores": [[0.125, 1e-7]], "samples": ["a/b"], "none": None, "times": {"seconds": 1.5}})
    content, record = path.read_bytes(), read_json(path)
    del record["times"]
    for i in range(len(content)):
        for flip in (1, 4, 128):
            path.write_bytes(content[:i] + bytes([content[i] ^ flip]) + content[i + 1 :])
            try:
                found = read_json(path)
            except UserError:
                continue
            found.pop("times", None)
            assert {key: found[key] for key in record} == record


def test_a_record_without_its_checksum_is_refused(tmp_path):
    (tmp_path / "record.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match="record.json is not a whole record .* remove it and rerun"):
        read_json(tmp_path / "record.json")


@pytest.mark.parametrize("size", [1, 3, 4096, 70_001, 2_000_003])
def test_a_binary_file_is_known_by_every_byte(tmp_path, size):
    path, content = tmp_path / "file", np.random.default_rng(0).bytes(size)
    assert not intact(path, 0)
    crc = write_binary(path, [content[: size // 2], memoryview(content)[size // 2 :]])
    assert crc == zlib.crc32(content) and path.read_bytes() == content and intact(path, crc)
    for i in {0, size // 2, size - 1}:
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        assert not intact(path, crc)
    for spoilt in (b"", content[:-1], content + b"\0", bytes(size), bytes(size + 4)):
        path.write_bytes(spoilt)
        assert not intact(path, crc)


def test_an_array_is_written_as_it_lies_in_memory(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    crc = write_binary(tmp_path / "file", (row.data for row in array))
    np.testing.assert_array_equal(np.fromfile(tmp_path / "file", np.float32).reshape(3, 4), array)
    assert crc == zlib.crc32(array)


def test_a_full_disk_leaves_the_old_binary_file(tmp_path):
    crc = write_binary(path := tmp_path / "file", [b"old"])
    with no_file_beyond(10_000), pytest.raises(UserError, match="cannot write .*file: File too large; what was there"):
        write_binary(path, [bytes(6000)] * 2)
    assert intact(path, crc) and names(tmp_path) == ["file"]


@pytest.mark.parametrize("what", ["pipe", "folder", "device", "socket"])
def test_only_regular_files_are_opened(what, tmp_path):
    path = tmp_path / "file"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        if what == "pipe":
            os.mkfifo(path)
        elif what == "folder":
            path.mkdir()
        elif what == "device":
            path.symlink_to("/dev/zero")
        else:
            listening.bind(str(path))
        for use in (read_json, sha256, lambda path: locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            with pytest.raises((UserError, OSError)) as refused:
                use(path)
            assert "file" in str(refused.value)
        assert not intact(path, 0)


def test_links_to_regular_files_are_followed_for_data_and_never_for_locks(tmp_path):
    write_json(tmp_path / "record.json", OLD)
    (tmp_path / "link").symlink_to("record.json")
    assert read_json(tmp_path / "link") == OLD
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}: link is a link"):
        locked(tmp_path / "link")
    with locked(tmp_path / "record.json"):  # nor is anything overwritten
        assert held(tmp_path / "record.json")
    assert read_json(tmp_path / "record.json") == OLD and not held(tmp_path / "record.json")


def test_a_folder_is_known_to_be_writable_before_anything_is_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    check_writable(tmp_path / "new" / "below")
    assert names(tmp_path) == ["file"]
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}/file/below: {tmp_path}/file is not a folder"):
        check_writable(tmp_path / "file" / "below")
    monkeypatch.setattr(os, "access", lambda path, how: False)  # tests may run as root, who may write anywhere
    with pytest.raises(UserError, match="Permission denied"):
        check_writable(tmp_path / "new")


def test_paths_that_are_not_utf_8_are_kept_in_json(tmp_path):
    content = {"path": os.fsdecode(b"/data/caf\xe9/ok"), "delta": "δ"}
    write_json(tmp_path / "record.json", content)
    assert read_json(tmp_path / "record.json") == content
    assert "\\udce9" in (text := (tmp_path / "record.json").read_text(encoding="utf-8")) and "δ" in text
