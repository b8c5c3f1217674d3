"""Videos become folders of images, once, and those that are spoilt are named."""

import os
import re
import shutil
import struct
import threading

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shared.corpora.samples import Frames, Reading, Video, sample_table
from shared.errors import UserError
from shared.keys import pixels_key
from shared.pixels import videos as module
from shared.pixels.frames import prepare
from shared.pixels.videos import decoded

T = 6


@pytest.fixture
def reading(tmp_path):
    """Three videos of T frames, of which each has its own brightness, and a clip that is images already."""
    rows = []
    for i in range(3):
        path = str(tmp_path / f"{i}.avi")
        with av.open(path, "w") as container:
            stream = container.add_stream("mjpeg", rate=25, options={"qmin": "2", "qmax": "2"})
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuvj444p"
            for t in range(T):
                picture = np.full((24, 32, 3), level(i, t), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
        rows.append(row(f"X/{i}", Video(path)))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 24)).save(tmp_path / "images/7.png")
    rows.append(row("X/images", Frames(str(tmp_path / "images"), ("7.png",), (7,)), 7))
    return Reading("X", str(tmp_path), "", sample_table(rows))


def row(sample, frames, offset=None):
    return (sample, "X", sample, "happy", (), "", 0, None, offset, 25.0, frames, "", None)


def level(video, frame):
    return 20 + 60 * video + 8 * frame


def test_a_video_becomes_its_frames_in_order(reading, tmp_path):
    samples = decoded(reading, tmp_path / "cache").samples
    assert samples["offset"].tolist() == [T - 1] * 3 + [7]
    assert reading.samples["offset"][0] is pd.NA, "the reading that was given is as it was"
    assert samples["frames"][3] == reading.samples["frames"][3]
    store = prepare(samples[:3], [range(T)] * 3, size=(24, 32), cache=tmp_path / "cache")
    expected = np.array([[level(i, t) for t in range(T)] for i in range(3)])
    np.testing.assert_allclose(store.stacked().mean(axis=(2, 3, 4)), expected, atol=1.5)


def test_decoded_once_and_again_when_the_file_changes(reading, tmp_path, monkeypatch):
    paths, plain = [], module._decode
    monkeypatch.setattr(module, "_decode", lambda path, folder: paths.append(path) or plain(path, folder))
    first = decoded(reading, tmp_path / "cache").samples
    assert len(paths) == 3 and decoded(reading, tmp_path / "cache").samples.equals(first) and len(paths) == 3
    os.utime(tmp_path / "1.avi", (1, 1))
    assert not decoded(reading, tmp_path / "cache").samples.equals(first)
    assert paths[3:] == [str(tmp_path / "1.avi")]


def test_decoded_again_it_is_the_same_to_keys(reading, tmp_path):
    """Where the cache was cleared: pre-trainings know files by size and time."""
    first = pixels_key(decoded(reading, tmp_path / "cache").samples)
    shutil.rmtree(tmp_path / "cache")
    assert pixels_key(decoded(reading, tmp_path / "cache").samples) == first


@pytest.mark.parametrize(
    ("matrix", "turns"), [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)]
)
def test_videos_are_turned_upright(tmp_path, matrix, turns):
    """By the track's matrix a, b, c, d of ISO 14496-12: (x, y) is shown at (a x + c y, b x + d y)."""
    path, pixels = tmp_path / "phone.mp4", np.zeros((24, 32, 3), np.uint8)
    pixels[:12, :16] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    a, b, c, d = (65536 * value for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    path.write_bytes(content)
    (frames,) = decoded(Reading("X", "", "", sample_table([row("X/0", Video(str(path)))])), tmp_path / "cache").samples[
        "frames"
    ]
    with Image.open(frames.path(0)) as image:
        shown = np.asarray(image.convert("L")) > 128
    np.testing.assert_array_equal(shown, np.rot90(pixels[..., 0] > 128, turns))


def test_two_at_once_decode_once(reading, tmp_path, monkeypatch):
    paths, plain, results = [], module._decode, []
    monkeypatch.setattr(module, "_decode", lambda path, folder: paths.append(path) or plain(path, folder))
    threads = [
        threading.Thread(target=lambda: results.append(decoded(reading, tmp_path / "cache").samples)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 3 and len(results) == 3 and results[0].equals(results[1])


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda path: path.write_bytes(b"no video"), "cannot be decoded"),
        (lambda path: path.write_bytes(b""), "cannot be decoded"),
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5]), "cut off|cannot be decoded"),
        (lambda path: path.unlink(), "cannot be read: No such file"),
    ],
    ids=["other", "empty", "cut", "gone"],
)
def test_a_spoilt_video_is_a_problem_and_not_a_sample(reading, tmp_path, spoil, what):
    spoil(tmp_path / "1.avi")
    for _ in "twice":
        read = decoded(reading, tmp_path / "cache")
        (problem,) = read.problems
        assert problem.where == str(tmp_path / "1.avi") and problem.sample == "X/1"
        assert re.search(what, problem.what)
        assert read.samples["sample"].tolist() == ["X/0", "X/2", "X/images"]
    assert sorted(p.suffix for p in (tmp_path / "cache/videos").iterdir() if p.is_dir()) == ["", ""]


def test_a_disk_that_is_full_is_not_taken_for_a_spoilt_video(reading, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="cannot write the frames of .*avi in .*: No space left"):
        decoded(reading, tmp_path / "cache")


def test_what_a_dead_process_left_is_swept_away(reading, tmp_path):
    folder = decoded(reading, tmp_path / "cache").samples["frames"][0].folder
    os.remove(os.path.join(folder, "sizes.json"))
    half = os.path.join(folder, "000099.jpg")
    open(half, "w").close()
    again = decoded(reading, tmp_path / "cache").samples
    assert again["frames"][0].numbers == tuple(range(T)) and not os.path.exists(half)


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_bytes(path.read_bytes()[:50]), os.unlink], ids=["cut", "gone"]
)
@pytest.mark.parametrize("name", ["000002.jpg", "sizes.json"])
def test_a_spoilt_cache_is_made_again(reading, tmp_path, spoil, name):
    first = decoded(reading, tmp_path / "cache").samples
    images = [os.path.getsize(first["frames"][1].path(n)) for n in range(T)]
    spoil(tmp_path / "cache/videos" / first["frames"][1].folder / name)
    again = decoded(reading, tmp_path / "cache").samples
    assert again.equals(first) and [os.path.getsize(again["frames"][1].path(n)) for n in range(T)] == images


def test_without_videos_nothing_is_touched(reading, tmp_path):
    reading.samples = reading.samples[3:]
    assert decoded(reading, tmp_path / "cache") is reading and not (tmp_path / "cache").exists()
