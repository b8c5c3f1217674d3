"""Frames are decoded as Pillow decodes them, once, and what the cache holds is never stale, spoilt or half."""

import dataclasses
import multiprocessing
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from toy.shell import no_file_beyond

from shared.corpora import casme2 as corpus
from shared.corpora.samples import FrameMissing
from shared.errors import UserError
from shared.pixels import frames as module
from shared.pixels.frames import derive, floats, in_order, prepare, unreadable
from shared.pixels.images import BoxError, ImageError, check, read, stream


@pytest.fixture
def samples(casme2):
    return corpus.read(casme2).samples


@pytest.fixture
def decoded(monkeypatch):
    """The files that are decoded, as they are."""
    files, plain = [], module.read
    monkeypatch.setattr(module, "read", lambda path, *a, **k: files.append(path) or plain(path, *a, **k))
    return files


def key_frames(samples):
    return list(zip(samples["onset"], samples["apex"], strict=True))


def boxed(samples, place, box):
    """The frames of the samples, those at one place with a box."""
    return [dataclasses.replace(f, box=box) if i == place else f for i, f in enumerate(samples["frames"])]


def by_hand(path, size=None, mode="L"):
    image = Image.open(path).convert(mode)
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR) if size else image)


def test_frames_are_those_asked_for_in_the_order_of_the_samples(samples, tmp_path):
    store = prepare(samples, key_frames(samples), size=8, gray=True, cache=tmp_path / "cache")
    assert store.ids == tuple(samples["sample"])
    assert store.stacked().shape == (12, 2, 8, 8, 1) and store.array.dtype == np.uint8
    for i, row in enumerate(samples.itertuples()):
        for j, number in enumerate((row.onset, row.apex)):
            expected = by_hand(row.frames.path(number))
            np.testing.assert_array_equal(store.clip(i)[j, :, :, 0], expected)
            np.testing.assert_array_equal(store.stacked()[i, j, :, :, 0], expected)


def test_sizes_boxes_and_colours(samples, tmp_path):
    samples["frames"] = boxed(samples, 1, (2, 1, 7, 5))
    store = prepare(samples, key_frames(samples), size=(4, 5), cache=tmp_path / "cache")
    assert store.stacked().shape == (12, 2, 4, 5, 3)
    path = samples["frames"][0].path(1)
    np.testing.assert_array_equal(store.clip(0)[0], by_hand(path, (4, 5), "RGB"))
    path = samples["frames"][1].path(1)
    np.testing.assert_array_equal(store.clip(1)[0], by_hand(path, mode="RGB")[1:5, 2:7])  # not resized


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((340, 280), (128, 128)),
        ((400, 400, 3), (64, 64)),
        ((256, 256), (128, 128)),
        ((131, 97, 3), (64, 60)),
        ((30, 40), (64, 96)),
        ((1, 2), (5, 5)),
    ],
)
def test_without_smoothing_frames_are_resized_as_opencv_does(shape, size, tmp_path):
    """To the last bit where they are made smaller, as faces are; within a grey level where larger."""
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(image).save(path := str(tmp_path / "frame.png"))
    got = read(path, size, gray=len(shape) == 2, smooth=False)
    assert got.dtype == np.uint8 and got.shape == (*size, shape[2] if len(shape) > 2 else 1)
    expected = cv2.resize(image, size[::-1]).reshape(got.shape)
    larger = size > shape[:2]
    np.testing.assert_allclose(got.astype(int), expected, atol=larger, rtol=0)


def test_frames_with_and_without_smoothing_are_kept_apart(samples, tmp_path):
    kinds = [prepare(samples, key_frames(samples), size=4, smooth=s, cache=tmp_path / "cache") for s in (True, False)]
    path = samples["frames"][0].path(1)
    for smooth, store in zip((True, False), kinds, strict=True):
        np.testing.assert_array_equal(store.clip(0)[0], read(path, 4, smooth=smooth))
    assert not np.array_equal(kinds[0].array, kinds[1].array)


@pytest.mark.parametrize("size", [6, 20, (3, 40)])
@pytest.mark.parametrize("box", [(5, 4, 17, 16), (-3, 0, 9, 99)])
def test_no_pixel_from_outside_a_box_counts(tmp_path, size, box):
    """What is read of a frame in a box is what is read of a file that holds the box alone."""
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), box[2], box[3]
    Image.fromarray(image).save(tmp_path / "frame.png")
    Image.fromarray(image[top:bottom, left:right]).save(tmp_path / "face.png")
    expected = read(str(tmp_path / "face.png"), size)
    np.testing.assert_array_equal(read(str(tmp_path / "frame.png"), size, box=box), expected)


def test_a_box_outside_the_frame_is_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "frame.png")
    with pytest.raises(ValueError, match=r"box \(8, 0, 12, 4\) lies outside the image of 8 × 8 pixels"):
        read(str(tmp_path / "frame.png"), 4, box=(8, 0, 12, 4))


# What the EXIF standard says of each orientation: where row 0 and column 0 of the file belong.
ORIENTATIONS = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: image[::-1, ::-1],
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_images_are_turned_upright(orientation, kind, tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path, options = tmp_path / f"turned.{kind}", {"lossless": True} if kind == "webp" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    expected = ORIENTATIONS[orientation](stored)
    np.testing.assert_array_equal(read(str(path), expected.shape[:2]), expected)
    H, W = expected.shape[:2]
    np.testing.assert_array_equal(read(str(path), 2, box=(W - 2, H - 2, W, H)), expected[-2:, -2:])
    check(str(path), (W - 1, H - 1, W, H))
    with pytest.raises(BoxError, match=f"outside the image of {W} × {H} pixels"):
        check(str(path), (W, 0, W + 1, H))


def test_damaged_metadata_turns_nothing(tmp_path):
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.save(tmp_path / "plain.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff")
    np.testing.assert_array_equal(read(str(tmp_path / "plain.png"), (3, 4), gray=True)[..., 0], np.asarray(image))


@pytest.mark.parametrize("kind", ["png", "tiff", "pgm", "png in colour", "tiff in colour", "ppm in colour"])
def test_images_of_12_bits_in_16_are_refused(kind, tmp_path):
    """In colour Pillow keeps the upper 8 bits: 256 is the least that is seen."""
    for most in (0, 256, 1024, 3840, 4096):
        values = np.array([[0, most], [most // 2, most // 3]], np.uint16)
        file = str(tmp_path / f"{most}.{kind.split()[0]}")
        assert cv2.imwrite(file, np.dstack([values] * 3) if "colour" in kind else values)
        for reader in (check, lambda file: read(file, 4)):
            with pytest.raises(ImageError, match="no value of its 16 bits") if 0 < most < 4096 else nullcontext():
                reader(file)


def test_images_of_16_bits_are_scaled_and_those_without_a_range_refused(tmp_path):
    values = np.array([[0, 128, 257, 4095], [32768, 65000, 65407, 65535]], np.uint16)
    for name in ("a.png", "a.tiff", "a.pgm"):
        Image.fromarray(values).save(tmp_path / name)
        scaled = read(str(tmp_path / name), (2, 4), gray=True)[..., 0]
        assert scaled.tolist() == [[0, 0, 1, 16], [128, 253, 255, 255]], name  # of 255, by hand
    for kind, what in (("int32", "integers of 32 bits"), ("float32", "floating-point numbers")):
        Image.fromarray(values.astype(kind)).save(tmp_path / f"{kind}.tiff")
        for reader in (check, lambda file: read(file, 4)):
            with pytest.raises(ImageError, match=f"it holds {what}, whose range is not declared"):
                reader(str(tmp_path / f"{kind}.tiff"))


def test_no_image_is_decoded_before_its_header_says_how_large_it_is(tmp_path):
    """Nor by a decoder that corpora do not need: one reads PostScript."""
    Image.new("1", (8193, 8192)).save(tmp_path / "large.png")
    (tmp_path / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name, message in (("large", "8193 × 8192 pixels, more than 67,108,864"), ("script", "no image of JPEG")):
        for reader in (check, lambda file: read(file, 4)):
            with pytest.raises(ImageError, match=message):
                reader(str(tmp_path / f"{name}.png"))


def test_clips_may_differ_in_length(samples, tmp_path):
    numbers = [(1, 2, 3)[: 1 + i % 3] for i in range(len(samples))]
    store = prepare(samples, numbers, size=8, gray=True, cache=tmp_path / "cache")
    assert [len(store.clip(i)) for i in range(12)] == [1, 2, 3] * 4
    np.testing.assert_array_equal(store.clip(5)[2, :, :, 0], by_hand(samples["frames"][5].path(3)))


def test_the_cache_is_used_and_a_changed_file_or_setting_is_decoded_anew(samples, tmp_path, decoded):
    def digest(**settings):
        before = len(decoded)
        store = prepare(samples, key_frames(samples), cache=tmp_path / "cache", **{"size": 8, "gray": True} | settings)
        return store.digest, len(decoded) > before

    first = digest()
    assert first[1] and digest() == (first[0], False)
    path = samples["frames"][3].path(2)
    Image.fromarray(255 - by_hand(path)).save(path)
    changed = digest()
    assert changed[1] and changed[0] != first[0]
    assert digest() == (changed[0], False)
    for settings in ({"size": 9}, {"size": (8, 9)}, {"gray": False}):
        assert digest(**settings)[1], settings
    samples["frames"] = boxed(samples, 0, (0, 0, 4, 4))
    assert digest()[1]


def test_frames_are_of_the_samples_and_the_code_that_ask(samples, tmp_path, decoded, monkeypatch):
    """The same images as clips of other names; and prepared, or derived, by other code."""

    def made(samples):
        store = prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
        return store, derive(store, "count", {}, count)

    def count(clip):
        asked.append(1)
        return np.array(len(clip))

    asked = []
    made(samples), made(samples)
    assert (len(decoded), len(asked)) == (24, 12)
    renamed = samples.assign(sample=samples["sample"].str.replace("CASME2", "X"))
    assert made(renamed)[0].ids == tuple(renamed["sample"])
    before = len(decoded), len(asked)
    monkeypatch.setattr(module, "code_key", lambda *names: "other")
    made(samples)
    assert (len(decoded), len(asked)) == (before[0] + 24, before[1] + 12)
    monkeypatch.setattr(module, "code_key", lambda name: "other" if name == module.__name__ else "of `count`")
    made(samples)
    assert (len(decoded), len(asked)) == (before[0] + 24, before[1] + 24)


@pytest.mark.parametrize("file", ["frames.u8", "frames.json"])
@pytest.mark.parametrize(
    "spoil",
    [lambda content: content[: len(content) // 2], lambda content: content[::-1], lambda content: b"", None],
    ids=["cut", "changed", "empty", "gone"],
)
def test_a_spoilt_cache_is_made_again(samples, tmp_path, file, spoil):
    def made():
        return prepare(samples, key_frames(samples), size=8, gray=True, cache=tmp_path / "cache")

    expected = np.array(made().array)
    (path,) = (tmp_path / "cache").glob(f"*/{file}")
    if spoil:
        path.write_bytes(spoil(path.read_bytes()))
    else:
        path.unlink()
    np.testing.assert_array_equal(made().array, expected)


def test_a_cache_is_checksummed_once_a_day_and_after_a_change(samples, tmp_path, monkeypatch):
    sums, intact = [], module.intact
    monkeypatch.setattr(module, "intact", lambda *a: sums.append(a) or intact(*a))

    def opened():
        """How many checksums it takes to open frames and what is derived from them."""
        del sums[:]
        store = prepare(samples, key_frames(samples), size=8, gray=True, cache=tmp_path / "cache")
        derive(store, "mean", {}, lambda clip: clip.mean())
        return len(sums)

    opened()  # decoded and derived
    assert [opened() for _ in range(3)] == [2, 0, 0]  # by the first that finds them there
    (frames,), (mean,) = ((tmp_path / "cache").glob(f"*/*.{end}") for end in ("u8", "npy"))
    for path in frames, mean:
        os.utime(path)
    assert [opened(), opened()] == [2, 0]
    os.utime(frames.with_name("frames.u8.checked"), (0, 0))
    assert [opened(), opened()] == [1, 0]


def test_results_come_in_order_and_no_more_are_made_than_are_soon_taken():
    made, ahead = [], []
    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda x, y: made.append(x) or x * y, range(500), range(500))
        for i, result in enumerate(results):
            assert result == i * i
            ahead.append(len(made) - i)
    assert len(made) == 500 and max(ahead) <= 4 * os.cpu_count() + 2


def test_an_image_cut_off_leaves_its_sample_out_and_is_named(samples, tmp_path):
    path = samples["frames"][4].path(2)
    with open(path, "r+b") as file:
        file.truncate(60)
    for _ in "decoded", "from the cache":
        store = prepare(samples, key_frames(samples), size=8, gray=True, cache=tmp_path / "cache")
        assert store.ids == tuple(samples["sample"].drop(4))
        (problem,) = store.problems
        assert problem.where == path and problem.sample == samples["sample"][4]
        np.testing.assert_array_equal(store.clip(4)[1, :, :, 0], by_hand(samples["frames"][5].path(2)))


def test_all_images_cut_off_leave_nothing_and_are_all_named(samples, tmp_path):
    for folder in samples["frames"]:
        open(folder.path(2), "w").close()
    store = prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    assert store.ids == () and len(store.problems) == 12


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": 0}], ids=["baseline", "progressive", "444"])
def test_a_check_of_an_image_notices_what_reading_it_notices(tmp_path, how):
    """It decodes a JPEG in small, wherever that is cut off, as Pillow decodes it whole."""
    path = tmp_path / "image.jpg"
    pixels = np.kron(np.random.default_rng(0).integers(0, 256, (9, 7, 3)), np.ones((8, 8, 1)))
    Image.fromarray(pixels.astype(np.uint8)).save(path, **how)
    content = path.read_bytes()

    def fails(one):
        try:
            one(str(path))
        except (OSError, SyntaxError, ValueError):
            return True
        return False

    cuts = [*range(0, len(content) - 40, 23), *range(len(content) - 40, len(content) + 1)]
    for cut in cuts:
        path.write_bytes(content[:cut])
        assert fails(check) == fails(lambda file: read(file, 8)), cut
    assert not fails(check)


def test_samples_that_cannot_be_streamed_are_found_once(samples, tmp_path, monkeypatch):
    clips = samples.assign(frames=boxed(samples, 7, (8, 0, 9, 8)))
    path = samples["frames"][4].path(2)
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:60])
    found = unreadable(clips, tmp_path / "cache")
    assert [(p.where, p.sample) for p in found] == [
        (path, samples["sample"][4]),
        (samples["frames"][7].path(1), samples["sample"][7]),
    ]
    assert "cannot be decoded" in found[0].what and "outside the image of 8 × 8" in found[1].what
    with pytest.raises(BoxError):
        read(samples["frames"][7].path(1), 8, box=(8, 0, 9, 8))
    with monkeypatch.context() as patch:
        patch.setattr(module, "check", lambda *_: pytest.fail("decoded again"))
        assert unreadable(clips, tmp_path / "cache") == found
        Path(path).write_bytes(content)
        with pytest.raises(pytest.fail.Exception):  # of another file
            unreadable(clips, tmp_path / "cache")
    assert not unreadable(samples, tmp_path / "cache")
    assert unreadable(clips, tmp_path / "cache") == found[1:]
    for kept in (tmp_path / "cache").glob("checked-*.json"):
        kept.write_text("spoilt")
    assert unreadable(clips, tmp_path / "cache") == found[1:]


def test_a_disk_that_vanishes_is_an_error_and_is_not_remembered(samples, tmp_path, monkeypatch):
    folder = os.path.dirname(samples["frames"][2].folder)
    shutil.move(folder, tmp_path / "away")
    with pytest.raises(UserError, match=folder):
        prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    shutil.move(tmp_path / "away", folder)

    def vanish(path, *_, **__):
        raise FileNotFoundError(2, "No such file or directory", path)

    with monkeypatch.context() as patch, pytest.raises(UserError, match=".png cannot be read: No such file"):
        patch.setattr(module, "read", vanish)
        prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    assert not prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache").problems


def test_a_frame_that_is_not_there_is_named(samples, tmp_path):
    with pytest.raises(FrameMissing, match="no frame 9") as error:
        prepare(samples, [(1, 9)] * 12, size=8, cache=tmp_path / "cache")
    assert isinstance(error.value, UserError)


def test_two_at_once_decode_once_and_agree(samples, tmp_path, decoded):
    stores = []

    def one():
        stores.append(prepare(samples, key_frames(samples), size=8, gray=True, cache=tmp_path / "cache"))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 24
    assert len({store.digest for store in stores}) == 1 and len(stores) == 4


def test_a_full_disk_is_said_and_leaves_nothing_half(samples, tmp_path):
    with no_file_beyond(50_000), pytest.raises(UserError, match="cannot write .*/frames.u8: File too large"):
        prepare(samples, key_frames(samples), size=128, cache=tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert len(prepare(samples, key_frames(samples), size=128, cache=tmp_path / "cache").ids) == 12


def test_what_a_dead_process_left_is_swept_away(samples, tmp_path):
    made = prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    (folder,) = [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]
    (folder / "frames.json").unlink()
    halves = [folder / f".{name}.abc.tmp" for name in ("frames.u8", "frames.json")]
    for half in halves:
        half.touch()
    assert prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache").digest == made.digest
    assert not any(half.exists() for half in halves)


def test_a_cache_that_cannot_be_written_is_named(samples, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot write in {tmp_path}/file"):
        prepare(samples, key_frames(samples), size=8, cache=tmp_path / "file")


def test_one_frame(samples):
    path = samples["frames"][0].path(1)
    assert read(path, 8).shape == (8, 8, 3) and read(path, (4, 6), gray=True).shape == (4, 6, 1)


@pytest.fixture(params=[None, "forkserver"], ids=["", "Python 3.14"])
def start_method(request):
    """How Python starts processes by default."""
    multiprocessing.set_start_method(request.param, force=True)
    yield
    multiprocessing.set_start_method(None, force=True)


def test_what_is_derived_is_computed_once_for_each_setting(samples, tmp_path, monkeypatch, start_method):
    store = prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    seen = tmp_path / "seen"  # by any process

    def mean(clip):
        with seen.open("a") as file:
            print(os.getpid(), clip.shape, file=file)
        return clip.mean((1, 2, 3)) * scale

    for scale, times, long in ((1, 12, 1e9), (1, 12, 0), (2, 24, 0)):
        monkeypatch.setattr(module, "LONG", long)
        means = derive(store, "mean", {"scale": scale}, mean)
        np.testing.assert_array_equal(means, scale * store.stacked().mean((2, 3, 4)))
        processes, shapes = zip(*(line.split(" ", 1) for line in seen.read_text().splitlines()), strict=True)
        assert len(shapes) == times and set(shapes) == {"(2, 8, 8, 3)"}
        assert (len(set(processes)) > 1) == (times == 24)
    files = sorted(p.suffix for p in store.folder.glob("mean-*") if p.suffix not in (".lock", ".checked"))
    assert files == [".json", ".json", ".npy", ".npy"]


def halves(clip):
    return clip / np.float32(2)


@pytest.mark.parametrize("short", [1, 4000, 30_000])
def test_a_full_disk_leaves_no_half_of_what_is_derived(samples, tmp_path, short):
    store = prepare(samples, key_frames(samples), size=32, cache=tmp_path / "cache")
    size = 4 * store.array.size + 128  # with the head of the file
    with no_file_beyond(size - short), pytest.raises(UserError, match="halves-.*npy: File too large; what was there"):
        derive(store, "halves", {}, halves)
    assert not list(store.folder.glob("*halves*.npy*tmp")) + list(store.folder.glob("halves*.npy"))
    np.testing.assert_array_equal(derive(store, "halves", {}, halves), store.stacked() / 2)
    (path,) = store.folder.glob("halves*.npy")
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[:-1],
        lambda b: b[: len(b) // 2],
        lambda b: b[:200] + b"x" + b[201:],
        lambda b: b"",
        lambda b: bytes(len(b)),
        lambda b: b + b,
    ],
    ids=["less", "half", "changed", "empty", "zeros", "twice"],
)
@pytest.mark.parametrize("kind", [".npy", ".json"])
def test_what_was_derived_and_is_spoilt_is_made_again(samples, tmp_path, spoil, kind):
    store = prepare(samples, key_frames(samples), size=8, cache=tmp_path / "cache")
    expected = np.array(derive(store, "halves", {}, halves))
    (path,) = store.folder.glob(f"halves*{kind}")
    path.write_bytes(spoil(path.read_bytes()))
    left = path.with_name(f".{path.name}.abc.tmp")
    left.touch()
    np.testing.assert_array_equal(derive(store, "halves", {}, halves), expected)
    assert not left.exists()


def test_a_frame_that_goes_in_mid_training_is_named(samples):
    path = samples["frames"][0].path(1)
    np.testing.assert_array_equal(stream(path, 8), read(path, 8))
    with open(path, "r+b") as file:
        file.truncate(60)
    with pytest.raises(UserError, match=f"{path} cannot be read: .+; fix this and rerun the same command"):
        stream(path, 8)
    os.remove(path)
    with pytest.raises(UserError, match=f"{path} cannot be read: No such file or directory; fix this"):
        stream(path, 8)


def test_frames_become_floats_pixel_by_pixel():
    frames = torch.arange(2 * 3 * 4 * 5 * 3, dtype=torch.uint8).view(2, 3, 4, 5, 3)
    x = floats(frames)
    assert x.shape == (2, 3, 3, 4, 5) and x.is_contiguous() and x[1, 2, 0, 3, 4] == frames[1, 2, 3, 4, 0] / 255
