"""Boxes: given, corrected or detected; who needs them is seen from the frames; clips without a face are named."""

import csv
import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from shared.corpora import CORPORA
from shared.corpora.samples import Frames, Reading, sample_table
from shared.errors import UserError
from shared.pixels import boxes as module
from shared.pixels.boxes import DetectorMissing, boxed, has_background, load
from shared.pixels.frames import prepare
from shared.runs.session import Session
from shared.synthetic import Clip, Person

N = 4


@pytest.fixture
def reading(tmp_path):
    """N clips of two frames of 60×40; the face is where they are white."""
    root, rows = tmp_path / "X", []
    for i in range(N):
        (root / str(i)).mkdir(parents=True)
        for number in (3, 4):
            image = np.zeros((40, 60), np.uint8)
            image[8:24, 10 + 5 * i : 26 + 5 * i] = 255
            Image.fromarray(image).save(root / f"{i}/{number}.png")
        frames = Frames(str(root / str(i)), ("3.png", "4.png"), (3, 4))
        rows.append((f"X/{i}", "X", f"X/{i}", "happy", (), "", 3, None, 4, 25.0, frames, "", None))
    return Reading("X", str(root), "", sample_table(rows))


@pytest.fixture
def detector(monkeypatch):
    """A detector of what is white; the number of images it saw."""
    seen = []

    def detect(image):
        seen.append(image)
        ys, xs = np.nonzero(image[..., 0] > 128)
        return (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None

    monkeypatch.setattr(module, "detect", detect)
    monkeypatch.setattr(module, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: True)))
    return seen


@pytest.fixture
def no_detector(monkeypatch):
    monkeypatch.setattr(module, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None)))


def box(i):
    return (10 + 5 * i, 8, 26 + 5 * i, 24)


def found(reading):
    return {row.sample: row.frames.box for row in reading.samples.itertuples()}


def write(path, rows, header="sample,left,top,right,bottom"):
    path.write_text("\n".join([header, *rows]) + "\n")


def made(tmp_path, suffix=".csv"):
    (path,) = (tmp_path / "cache/boxes").glob(f"X-*{suffix}")
    return path


def test_faces_are_found_once_and_cut_out(reading, detector, tmp_path, capsys):
    once = boxed(reading, tmp_path / "cache")
    assert found(once) == {f"X/{i}": box(i) for i in range(N)} and len(detector) == N
    assert str(made(tmp_path)) in (said := capsys.readouterr().err) and str(made(tmp_path, ".png")) in said
    assert found(boxed(reading, tmp_path / "cache")) == found(once) and len(detector) == N
    assert not capsys.readouterr().err
    store = prepare(once.samples, [(3, 4)] * N, size=16, cache=tmp_path / "cache")
    assert store.array.min() == 255


def test_what_is_corrected_by_hand_holds(reading, detector, tmp_path):
    boxed(reading, tmp_path / "cache")
    path = made(tmp_path)
    path.write_text(path.read_text().replace("X/2,20,8,36,24", "X/2,1.2,2,30,31"))
    assert found(boxed(reading, tmp_path / "cache"))["X/2"] == (1, 2, 30, 31) and len(detector) == N
    for image in tmp_path.rglob("*.png"):  # as when the data are copied
        os.utime(image, (1, 1))
    expected = {f"X/{i}": box(i) for i in range(N)} | {"X/2": (1, 2, 30, 31)}
    assert found(boxed(reading, tmp_path / "cache")) == expected and len(detector) == N
    for i, clip in ((1, "0"), (3, "2")):  # another image of X/0, and one of X/2, whose box stays
        (tmp_path / "X" / clip / "3.png").write_bytes((tmp_path / f"X/{i}/3.png").read_bytes())
    again = found(boxed(reading, tmp_path / "cache"))
    assert again == expected | {"X/0": box(1)} and len(detector) == N + 1


def test_given_boxes_count_for_released_crops_too(reading, no_detector, tmp_path):
    for path in tmp_path.rglob("*.png"):
        Image.new("L", (40, 40)).save(path)
    write(tmp_path / "X/boxes.csv", ["X/1,5,5,25,25", "X/3 ,1,1,9,9"])
    read = boxed(reading, tmp_path / "cache")
    assert found(read) == {"X/0": None, "X/1": (5, 5, 25, 25), "X/2": None, "X/3": (1, 1, 9, 9)} and not read.problems


def test_a_box_of_no_sample_of_the_corpus_is_named(reading, no_detector, tmp_path):
    write(tmp_path / "X/boxes.csv", ["1,5,5,25,25"])
    with pytest.raises(UserError, match="boxes.csv: sample '1': expected X/ at the beginning, for example X/0"):
        boxed(reading, tmp_path / "cache")


def test_the_users_own_file_goes_before_all(reading, no_detector, tmp_path):
    write(tmp_path / "X/boxes.csv", [f"X/{i},{i},0,50,99" for i in range(N)])
    read = boxed(reading, tmp_path / "cache")
    assert found(read) == {f"X/{i}": (i, 0, 50, 99) for i in range(N)}
    store = prepare(read.samples, [(3,)] * N, size=(40, 49), cache=tmp_path / "cache")  # what the image holds of it
    expected = np.asarray(Image.open(tmp_path / "X/1/3.png"))[:, 1:50]
    np.testing.assert_array_equal(store.clip(1)[0, :, :, 0], expected)


def test_the_detector_fills_what_the_users_file_lacks(reading, detector, tmp_path):
    write(tmp_path / "X/boxes.csv", ["X/1,1,1,30,30"])
    assert found(boxed(reading, tmp_path / "cache")) == {f"X/{i}": box(i) for i in range(N)} | {"X/1": (1, 1, 30, 30)}
    assert len(detector) == N - 1


def test_without_a_detector_both_remedies_are_said(reading, no_detector, tmp_path):
    with pytest.raises(DetectorMissing) as error:
        boxed(reading, tmp_path / "cache")
    for said in ("4 of 4 clips", "pip install dlib-bin", f"{tmp_path}/X/boxes.csv", "sample, left, top", "X/0"):
        assert said in str(error.value)


def test_a_clip_without_a_face_is_a_problem_until_its_box_is_given(reading, detector, tmp_path):
    Image.new("L", (60, 40)).save(tmp_path / "X/1/3.png")
    for _ in "found", "remembered":
        read = boxed(reading, tmp_path / "cache")
        (problem,) = read.problems
        assert problem.sample == "X/1" and f"{tmp_path}/X/1/3.png" in problem.what
        assert read.samples["sample"].tolist() == ["X/0", "X/2", "X/3"]
    assert len(detector) == N
    Path(problem.where).write_text(Path(problem.where).read_text().replace("X/1,,,,", "X/1,5,5,25,25"))
    assert found(boxed(reading, tmp_path / "cache"))["X/1"] == (5, 5, 25, 25)


def test_clips_without_a_face_are_counted_in_one_problem(reading, detector, tmp_path):
    for i in (0, 1, 3):
        Image.new("L", (60, 40)).save(tmp_path / f"X/{i}/3.png")
    read = boxed(reading, tmp_path / "cache")
    (problem,) = read.problems
    assert f"no face found in {tmp_path}/X/0/3.png, nor in 2 more of 4 clips" in str(problem)
    assert (problem.sample, *problem.others) == ("X/0", "X/1", "X/3")
    assert found(read) == {"X/2": box(2)} and list(read.samples.index) == [0]


@pytest.mark.parametrize("saved", [0.0, 1e9], ids=["as they are found", "when it ends"])
def test_what_was_found_before_a_stop_is_not_looked_for_again(reading, detector, tmp_path, monkeypatch, saved):
    monkeypatch.setattr(module, "SAVED", saved)
    find, kept = module.detect, []

    def stop(image):
        if len(detector) == 2:
            kept.extend(load(made(tmp_path)) if not saved else [])
            raise KeyboardInterrupt
        return find(image)

    monkeypatch.setattr(module, "detect", stop)
    monkeypatch.setattr(module, "in_order", lambda pool, one, *columns: map(one, *columns))
    with pytest.raises(KeyboardInterrupt):
        boxed(reading, tmp_path / "cache")
    assert kept == ([] if saved else ["X/0", "X/1"]) and list(load(made(tmp_path))) == ["X/0", "X/1"]
    monkeypatch.setattr(module, "detect", find)
    assert found(boxed(reading, tmp_path / "cache")) == {f"X/{i}": box(i) for i in range(N)} and len(detector) == N


def test_an_image_cut_off_is_looked_at_again_once_it_is_whole(reading, detector, tmp_path):
    image = (tmp_path / "X/1/3.png").read_bytes()
    (tmp_path / "X/1/3.png").write_bytes(image[:50])
    read = boxed(reading, tmp_path / "cache")
    (problem,) = read.problems
    assert problem.sample == "X/1" and "the image cannot be decoded" in problem.what and "X/1" not in found(read)
    (tmp_path / "X/1/3.png").write_bytes(image)
    assert found(boxed(reading, tmp_path / "cache"))["X/1"] == box(1)


def test_faces_are_looked_for_in_what_the_paper_uses_alone(reading, detector, tmp_path, monkeypatch):
    from toy.experiments import PAPER

    paper = dataclasses.replace(PAPER, used=lambda samples, config: samples[samples["sample"] > "X/1"])
    monkeypatch.setitem(CORPORA, "X", SimpleNamespace(read=lambda root: reading))
    session = Session(paper, tmp_path / "out", tmp_path, "smoke", False, {})
    assert found(session.reading("X")) == {"X/2": box(2), "X/3": box(3)} and len(detector) == 2


@pytest.mark.parametrize(
    ("size", "background"),
    [((280, 340), False), ((224, 224), False), ((139, 170), False), ((640, 490), True), ((720, 576), True)],
)
def test_crops_are_known_by_their_shape(reading, tmp_path, no_detector, size, background):
    for path in tmp_path.rglob("*.png"):
        Image.new("L", size).save(path)
    assert has_background(reading.samples) == background
    if not background:
        assert boxed(reading, tmp_path / "cache") is reading


def test_one_wide_image_among_portraits_shows_that_they_are_no_crops(reading, tmp_path):
    for path in sorted(tmp_path.rglob("*.png"))[2:]:
        Image.new("L", (30, 40)).save(path)
    assert has_background(reading.samples)
    assert not has_background(reading.samples[:0])


def test_every_wrong_row_is_named(tmp_path):
    path = tmp_path / "boxes.csv"
    write(path, ["X/0,1,2,3,4", "X/1,5,2,3,4", "X/2,1,2,3", "X/3,1,2,x,4", "X/4,,,,", "X/5,inf,2,3,4", "X/4,1,2,3,4"])
    with pytest.raises(UserError) as error:
        load(path)
    assert [line.split()[1] for line in str(error.value).splitlines()[1:]] == ["3", "4", "5", "7", "8"]
    write(path, ["X/0,1,2,3"], "sample,left,top,right")
    with pytest.raises(UserError, match="row 1: no column bottom"):
        load(path)


def test_the_contact_sheet_shows_each_box(reading, detector, tmp_path):
    boxed(reading, tmp_path / "cache")
    with Image.open(made(tmp_path, ".png")) as sheet:
        pixels = np.asarray(sheet)
    scale = module.THUMB / 60
    for i in range(N):
        left, top, right, bottom = (round(side * scale) for side in box(i))
        tile = pixels[:, i * module.THUMB : (i + 1) * module.THUMB]
        for y, x in ((top, left + 20), (bottom, left + 20), (top + 20, left), (top + 20, right)):
            near = tile[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
            assert (near == (0, 255, 0)).all(axis=1).any()


def test_the_file_holds_what_is_documented(reading, detector, tmp_path):
    boxed(reading, tmp_path / "cache")
    with open(made(tmp_path), newline="") as file:
        (*header, found), (*first, mark) = list(csv.reader(file))[:2]
    assert header == ["sample", "left", "top", "right", "bottom"] and first == ["X/0", *map(str, box(0))]
    assert found == "found in" and mark  # what the box depends on: the image and the code


def test_a_face_is_looked_for_at_the_onset(reading, detector, tmp_path):
    """Where the images begin long before it, too."""
    for i in range(N):
        Image.new("L", (60, 40)).save(tmp_path / f"X/{i}/3.png")
    later = dataclasses.replace(reading, samples=reading.samples.assign(onset=4))
    assert found(boxed(later, tmp_path / "cache")) == {f"X/{i}": box(i) for i in range(N)}


def test_the_largest_face_is_widened_in_pixels_of_the_image(monkeypatch):
    """In an image of 1280 × 960, of which half the size is looked at; as in dlib, right and bottom belong to a face."""

    def face(left, top, side):
        sides = {"left": left, "top": top, "right": left + side - 1, "bottom": top + side - 1}
        sides |= {"width": side, "height": side, "area": side**2}
        return SimpleNamespace(**{name: lambda value=value: value for name, value in sides.items()})

    faces = [face(10, 10, 20), face(100, 150, 100)]
    monkeypatch.setattr(module, "_detector", lambda: lambda image, times: faces if image.shape == (480, 640, 3) else [])
    assert module.detect(np.zeros((960, 1280, 3), np.uint8)) == (180, 280, 420, 520)


@pytest.mark.parametrize("seed", [0, 1])
def test_dlib_finds_the_face_of_a_generated_frame(seed):
    clip = Clip(Person.draw(seed), {}, frames=3, onset=0, apex=1, offset=2, fps=30, seed=seed, sway=0)
    side = 150  # a tight crop is the middle of a frame that is 1.8 times as high
    image = clip.render((270, 400), margin=0.8)[0]
    left, top, right, bottom = module.detect(image)
    width, height = min(right, 275) - max(left, 125), min(bottom, 210) - max(top, 60)
    common = max(width, 0) * max(height, 0)
    assert common / (side**2 + (right - left) * (bottom - top) - common) > 0.6
    assert module.detect(np.zeros_like(image)) is None
