"""What a run has learned can be used again: each package's weights predict for its test clips what the record says."""

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from tiny import ROWS, experiment_of, options, paper_of

from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.report.predict import MADE_BY, Predictor, draw_timeline, show, windows
from shared.runs.experiment import predicted
from shared.runs.weights import load_network, packed
from shared.tasks import TASKS

ABOUT = ("package", "network", "arguments", "task", "labels", "config", *MADE_BY)


@pytest.mark.parametrize("package", ROWS)
def test_a_fold_s_weights_say_what_its_record_says(package, four_people, tmp_path, toy):
    paper = paper_of(package)
    code, _, errors = toy(*options(package, four_people, tmp_path), "--skip-broken", paper=paper)
    assert code == 0, errors

    experiment = experiment_of(package, four_people, tmp_path)
    samples, data = experiment.session.inputs(experiment.task, experiment.config)
    for path in sorted(experiment.folder.glob("*.json"))[:2]:
        record = json.loads(path.read_text(encoding="utf-8"))
        net, about = load_network(path.with_suffix(".safetensors"), package)
        assert about["config"] == record["config"] and about["fold"] == record["fold"]
        assert about["labels"] == experiment.task.outputs
        inputs = (torch.rand(2, *shape) for shape in about["input"]["shapes"].values())
        sides = {key: getattr(experiment.config, key) for key in ("resize", "size") if hasattr(experiment.config, key)}
        assert "frames" in about["input"] and about["input"].items() >= sides.items()
        assert net.predict(*inputs).shape == (2, len(about["labels"]))
        scores, maps = paper.apply(net, data, experiment.config)
        rows = [list(samples["sample"]).index(sample) for sample in record["samples"]]
        kept = predicted(record, paper.rule, experiment.metrics[0])
        assert record["rule"] == about["rule"] == paper.rule and record["metrics"] == list(experiment.metrics)
        assert str(about["epoch"]) == record["predictions"]["epochs"][paper.rule][experiment.metrics[0]][""]
        torch.testing.assert_close(scores[rows], torch.tensor(kept), rtol=1e-4, atol=1e-5)
        assert maps.ndim == 4 and len(maps) == len(samples) and torch.isfinite(maps).all()
        assert maps.shape[1] == (len(experiment.task.aus) or 1)

    clip = samples["frames"][rows[0]]  # and the same of the clip itself, as somebody's own
    moments = samples.loc[rows[0], ["onset", "apex", "offset"]]
    given = [f"--{name}={number}" for name, number in moments.items()]
    code, said, errors = toy("predict", path, "--clip", clip.folder, *given, "--out", tmp_path / "mine", paper=paper)
    assert code == 0, errors
    result = json.loads((tmp_path / "mine" / "prediction.json").read_text(encoding="utf-8"))
    assert list(result["scores"].values()) == pytest.approx(kept[0], rel=1e-4, abs=1e-5)
    assert all(label in said for label in result["scores"]) and "says nothing about real faces" in said
    with Image.open(tmp_path / "mine" / "prediction.png") as picture:
        assert picture.width > 2 * picture.height


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A record of the toy, and a folder of 24 images of noise."""
    from toy.corpus import write_casme2
    from toy.experiments import PAPER

    from shared.cli import main

    folder = tmp_path_factory.mktemp("toy")
    with pytest.raises(SystemExit):
        main(PAPER, ["--data", str(write_casme2(folder / "data")), "--out", str(folder / "out"), "--processes", "1"])
    (folder / "clip").mkdir()
    for n, image in enumerate(np.random.default_rng(0).integers(0, 256, (24, 40, 40, 3), np.uint8)):
        Image.fromarray(image).save(folder / "clip" / f"img{n + 1}.png")
    record = next((folder / "out").rglob("CASME2_sub01.json"))
    return SimpleNamespace(record=record, clip=folder / "clip", folder=folder)


def test_images_a_folder_and_a_video_are_read_alike(trained, tmp_path, toy):
    import av

    with av.open(str(tmp_path / "clip.avi"), "w") as video:
        stream = video.add_stream("rawvideo", rate=30)  # pixels as they are
        stream.width = stream.height = 40
        stream.pix_fmt = "bgr24"
        for n in range(24):
            with Image.open(trained.clip / f"img{n + 1}.png") as image:
                video.mux(stream.encode(av.VideoFrame.from_image(image)))
        video.mux(stream.encode())
    folder = ["--clip", trained.clip]
    images = [f"--onset={trained.clip}/img3.png", f"--apex={trained.clip}/img9.png"]
    found = []
    for given in (
        [*folder, "--onset", 3, "--apex", 9],
        images,
        ["--clip", tmp_path / "clip.avi", "--onset", 2, "--apex", 8],
    ):
        code, _, errors = toy("predict", trained.record, *given, "--out", tmp_path / "out")
        assert code == 0, errors
        found.append(json.loads((tmp_path / "out" / "prediction.json").read_text(encoding="utf-8")))
    assert found[0]["scores"] == found[1]["scores"] and found[0]["onset"] == 3
    assert list(found[2]["scores"].values()) == pytest.approx(list(found[0]["scores"].values()), abs=0.05)  # as JPEG
    assert sum(found[0]["scores"].values()) == pytest.approx(1, abs=1e-5)
    code, _, errors = toy("predict", trained.record, *folder, "--out", tmp_path / "out")
    assert code == 0 and "apex spotted: frame" in errors


def test_a_box_is_cut_out(trained, tmp_path, toy):
    (tmp_path / "wide").mkdir()
    faces = trained.folder / "data" / "CASME2" / "Cropped" / "sub01" / "EP01_01"  # of 8×8, the size that is asked for
    for n in (1, 2):
        with Image.open(faces / f"reg_img{n}.png") as image:
            wide = Image.new("RGB", (30, 20))
            wide.paste(image, (11, 7))
            wide.save(tmp_path / "wide" / f"{n}.png")
    found = []
    for given in (
        ["--clip", tmp_path / "wide", "--apex", 2, "--box", 11, 7, 19, 15],
        ["--onset", faces / "reg_img1.png", "--apex", faces / "reg_img2.png"],
        ["--clip", tmp_path / "wide", "--apex", 2, "--box", 0, 0, 30, 20],
    ):
        assert toy("predict", trained.record, *given, "--out", tmp_path / "out")[0] == 0
        found.append(json.loads((tmp_path / "out" / "prediction.json").read_text(encoding="utf-8"))["scores"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "give --clip with a folder or a video, or images with --onset and --apex"),
        (["--onset", "3", "--apex", "9"], "3 is not an image file; frame numbers need --clip"),
        (["--clip", "nowhere"], "nowhere does not exist"),
        (["--clip", "CLIP", "--apex", "99"], "no frame 99"),
        (["--clip", "CLIP", "--apex", "high"], "--apex high: expected a frame number"),
        (["--clip", "EMPTY"], "holds 0 numbered images"),
        (["--clip", "RECORD"], "the video cannot be decoded"),
        (["--clip", "CLIP", "--onset", "9", "--apex", "3"], "onset 9 lies after apex 3"),
        (["--clip", "CLIP", "--apex", "9", "--offset", "3"], "apex 9 lies after offset 3"),
        (["--clip", "CLIP", "--onset", "9", "--offset", "3"], "onset 9 lies after offset 3"),
        (["--clip", "CLIP", "--apex", "²"], "--apex ²: expected a frame number"),
        (["--clip", "CLIP", "--fps", "-25"], "-25.0: expected more than 0 and at most 10000 frames per second"),
        (["--clip", "CLIP", "--fps", "nan"], "nan: expected more than 0"),
        (["--clip", "CLIP", "--fps", "9000"], "no apex can be found in"),
        (["--clip", "IMAGE"], "img1.png is one image; give the folder of its clip"),
        (["--clip", "CLIP", "--step", "3"], "--step is the step from one window to the next: give --window, too"),
        (["--onset", "IMAGE", "--apex", "IMAGE", "--fps", "100"], "--fps is the frame rate of a clip"),
    ],
)
def test_mistakes_are_said(given, message, trained, tmp_path, toy):
    (tmp_path / "empty").mkdir()
    places = {"CLIP": trained.clip, "EMPTY": tmp_path / "empty", "RECORD": trained.record}
    places["IMAGE"] = trained.clip / "img1.png"
    code, _, errors = toy("predict", trained.record, *(places.get(g, g) for g in given), "--out", tmp_path / "out")
    assert code == 2 and message in errors and not (tmp_path / "out").exists()


def test_other_files_are_no_network(trained, tmp_path, toy):
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for path, message in (
        (tmp_path / "none.json", "none.json is not there"),
        (trained.record.with_suffix(".pt"), "is neither a record (.json) nor the weights beside it (.safetensors)"),
        (tmp_path / "empty.safetensors", "does not hold a network that a run left"),
    ):
        code, _, errors = toy("predict", path, "--clip", trained.clip)
        assert code == 2 and message in errors
    code, _, errors = toy("predict", trained.record, "--clip", trained.clip, paper=paper_of("ma2mi"))
    assert code == 2 and "holds a network of toy, not of ma2mi" in errors


def read_table(folder):
    """The rows of predictions.csv, by clip."""
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["clip"]: row for row in csv.DictReader(file)}


def scores_of(row):
    return {name.removeprefix("score "): float(value) for name, value in row.items() if name.startswith("score ")}


@pytest.fixture
def alone(trained, tmp_path, toy):
    """The scores of a clip predicted by itself."""

    def run(*given, record=trained.record):
        code, _, errors = toy("predict", record, *given, "--out", tmp_path / "alone")
        assert code == 0, errors
        return json.loads((tmp_path / "alone" / "prediction.json").read_text(encoding="utf-8"))["scores"]

    return run


def test_many_clips_are_scored_as_each_alone(trained, alone, tmp_path, toy):
    """Several, a folder of folders and a list; and the results are a list themselves."""
    people = trained.folder / "data" / "CASME2" / "Cropped"
    clips = [people / f"sub0{n}" / "EP01_01" for n in (1, 2)]
    out = tmp_path / "out"
    code, said, errors = toy("predict", trained.record, "--clip", *clips, trained.clip, "--out", out)
    assert code == 0 and "3 clips scored, 0 not" in said, errors
    assert {path.name for path in out.iterdir()} == {"predictions.csv"}
    table = read_table(out)
    assert list(table) == [str(path) for path in (*clips, trained.clip)]
    for path, row in table.items():
        scores = scores_of(row)
        assert scores == alone("--clip", path) and row["labels"] == max(scores, key=scores.get)

    assert toy("predict", trained.record, "--clip", people, "--out", out)[0] == 0
    assert len(read_table(out)) == 12 and scores_of(read_table(out)[str(clips[1])]) == scores_of(table[str(clips[1])])

    (tmp_path / "list.csv").write_text(f"clip,apex,left,top,right,bottom\n{people}/sub01/EP01_01,3,1,1,8,8\n,,\n")
    assert toy("predict", trained.record, "--clip", tmp_path / "list.csv", "--out", out)[0] == 0
    (row,) = read_table(out).values()
    assert (
        scores_of(row) == alone("--clip", clips[0], "--apex", 3, "--box", 1, 1, 8, 8) != scores_of(table[row["clip"]])
    )
    assert [row[c] for c in ("onset", "apex", "offset", "left", "bottom")] == ["1", "3", "3", "1", "8"]
    loose = (tmp_path / "list.csv").read_text().replace("clip,apex,left", "Clip, ApexFrame, left ")
    (tmp_path / "loose.csv").write_text(loose)
    before = (out / "predictions.csv").read_bytes()
    assert toy("predict", trained.record, "--clip", tmp_path / "loose.csv", "--out", out)[0] == 0
    assert (out / "predictions.csv").read_bytes() == before
    (out / "predictions.csv").rename(tmp_path / "again.csv")
    assert toy("predict", trained.record, "--clip", tmp_path / "again.csv", "--out", out)[0] == 0
    assert (out / "predictions.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_a_clip_that_fails_is_named_and_the_others_are_scored(trained, tmp_path, toy):
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "1.png").write_bytes((trained.clip / "img1.png").read_bytes())
    (tmp_path / "film.avi").write_bytes(b"none")
    (tmp_path / "double").mkdir()
    for name in ("a_1", "a_2", "b_1"):
        (tmp_path / "double" / f"{name}.png").write_bytes((trained.clip / "img1.png").read_bytes())
    out = tmp_path / "out"
    lines = [
        f"{trained.clip},",
        "short,",
        "film.avi,",
        "nowhere,",
        f"{trained.clip},high",
        f"{trained.clip},99",
        "double,",
        ",3",
    ]
    (tmp_path / "list.csv").write_text("\n".join(["clip,apex", *lines]))
    code, said, errors = toy("predict", trained.record, "--clip", tmp_path / "list.csv", "--out", out)
    assert (
        code == 1
        and "1 clips scored, 7 not; apex spotted in 1" in said
        and list(read_table(out)) == [str(trained.clip)]
    )
    for message in (
        f"{tmp_path}/short: {tmp_path}/list.csv, row 3: {tmp_path}/short holds 1 numbered images",
        f"{tmp_path}/film.avi: {tmp_path}/list.csv, row 4: {tmp_path}/film.avi: the video cannot be decoded",
        f"{tmp_path}/nowhere: {tmp_path}/list.csv, row 5: clip {tmp_path}/nowhere does not exist",
        f"{trained.clip}: {tmp_path}/list.csv, row 6: apex high: expected a frame number",
        f"{trained.clip}: {tmp_path}/list.csv, row 7: {trained.clip}: no frame 99",
        f"{tmp_path}/double: {tmp_path}/list.csv, row 8: two images of one frame number in {tmp_path}/double: a_1.png",
        f"{tmp_path}/list.csv: {tmp_path}/list.csv, row 9: no clip, but apex",
    ):
        assert f"not scored: {message}" in errors, errors
    code, said, errors = toy("predict", trained.record, "--clip", *[tmp_path / "short"] * 2, "--out", tmp_path / "no")
    assert code == 2 and not said and "none of 2 clips could be scored" in errors and not (tmp_path / "no").exists()


def test_an_average_over_the_folds(trained, alone, tmp_path, toy):
    records = sorted(trained.record.parent.glob("*.json"))
    clip = ["--clip", trained.clip, "--apex", 9]
    each = [alone(*clip, record=record) for record in records]
    assert len(each) == 4 and each[0] != each[1]
    for record in (records[1], records[0].parent):
        mean = alone(*clip, "--ensemble", record=record)
        assert list(mean.values()) == pytest.approx(np.mean([list(e.values()) for e in each], axis=0), abs=1e-6)
    code, _, errors = toy("predict", records[0], *clip, "--ensemble", "--out", tmp_path / "out")
    assert code == 0 and "--ensemble: the scores are means over 4 of 4 networks" in errors
    made = json.loads((tmp_path / "alone" / "prediction.json").read_text(encoding="utf-8"))["weights"]
    assert [m["file"] for m in made] == [str(r.with_suffix(".safetensors")) for r in records]

    with safe_open(records[0].with_suffix(".safetensors"), "pt") as file:
        about, tensors = (json.loads(file.metadata()["about"]), {k: file.get_tensor(k) for k in file.offset_keys()})
    (tmp_path / "a.safetensors").write_bytes(packed(tensors, about))
    code, _, errors = toy("predict", tmp_path / "a.json", *clip, "--ensemble")
    assert code == 2 and f"--ensemble averages the networks of all folds: {tmp_path} holds 1" in errors
    about["config"]["lr"] = 0.5
    (tmp_path / "b.safetensors").write_bytes(packed(tensors, about))
    code, _, errors = toy("predict", tmp_path / "a.json", *clip, "--ensemble")
    assert code == 2 and f"{tmp_path}/b.safetensors has another task or other settings than" in errors


def test_maps_of_an_average_are_of_the_networks_that_agree_with_it():
    """Two of three say the first class, as their mean does: .6, .1, .1, .1, .1."""
    said = [[0.9, 0.0, 0.1, 0.0, 0.0], [0.8, 0.0, 0.0, 0.1, 0.1], [0.1, 0.3, 0.2, 0.2, 0.2]]
    paper = SimpleNamespace(
        load=lambda *_: SimpleNamespace(problems=[]),
        apply=lambda net, *_: (torch.tensor([said[net]]), torch.full((1, 1, 2, 2), [1.0, 3.0, 50.0][net])),
    )
    networks = {Path(str(i)): i for i in range(3)}
    predictor = Predictor(paper, networks, [], TASKS["casme2-5"], None)
    _, mean, maps = predictor.scores(pd.DataFrame([{}]), Path())
    torch.testing.assert_close(mean, torch.tensor([0.6, 0.1, 0.1, 0.1, 0.1]))
    assert maps.unique().tolist() == [2] and predictor.found(mean) == ["happiness"]


WINDOWS = (1, 10), (7, 16), (13, 22), (15, 24)


def test_windows_are_half_a_window_apart_where_nothing_else_is_said():
    frames = Frames("", ("",) * 24, tuple(range(1, 25)))
    found = [(w["onset"], w["offset"]) for w in windows({"clip": ""}, frames, 10, None)]
    assert found == [(1, 10), (6, 15), (11, 20), (15, 24)]
    with pytest.raises(UserError, match="--window 25: mine has 24 frames"):
        list(windows({"clip": "mine"}, frames, 25, None))


def test_the_picture_has_each_map_over_the_face_in_its_box(tmp_path, monkeypatch):
    """AU 1 and AU 14 are found: a blue onset and a red apex in a black scene, then their own maps, the 1st and 4th."""
    shown, over = [], []
    monkeypatch.setattr("shared.report.predict.image", lambda axis, pixels, title: shown.append((pixels, title)))
    monkeypatch.setattr("shared.report.predict.overlay", lambda axis, heat, size: over.append(heat))
    for number, colour in ((1, "blue"), (2, "red")):
        scene = Image.new("RGB", (40, 40))
        scene.paste(Image.new("RGB", (20, 20), colour), (4, 6))
        scene.save(tmp_path / f"{number}.png")
    frames = Frames(str(tmp_path), ("1.png", "2.png"), (1, 2), (4, 6, 24, 26))
    predictor = Predictor(SimpleNamespace(name="toy"), {}, [], TASKS["casme-au4"], None)  # units 1, 4, 9, 14
    row, moments = pd.Series({"frames": frames, "onset": 1, "apex": 2}), {"onset": 1, "apex": 2, "offset": 2}
    maps = torch.arange(4.0)[:, None, None].expand(4, 2, 2)
    show(predictor, row, moments, torch.tensor([0.9, 0.1, 0.2, 0.8]), maps, tmp_path)
    assert [(pixels.reshape(-1, 3).mean(axis=0).tolist(), title.split()[-1]) for pixels, title in shown] == [
        ([0, 0, 255], "onset"),
        ([255, 0, 0], "apex"),
        ([255, 0, 0], "0.90"),
        ([255, 0, 0], "0.80"),
    ]
    assert [heat.mean() for heat in over] == [0, 3]
    written = json.loads((tmp_path / "prediction.json").read_text())
    assert written["labels"] == ["AU1", "AU14"] and written["box"] == [4, 6, 24, 26]


def test_a_long_clip_is_scored_window_by_window(trained, alone, tmp_path, toy, monkeypatch):
    """24 frames: windows of 10, one each 6; the last ends with the clip. Each is a clip of its own."""
    drawn: dict[float, list[float]] = {}
    monkeypatch.setattr(
        "shared.report.predict.draw_timeline", lambda line, *how: drawn.update(line) or draw_timeline(line, *how)
    )
    given = ["--clip", trained.clip, "--window", 10, "--step", 6, "--out", tmp_path / "out"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "prediction.json").touch()  # of another call
    code, said, errors = toy("predict", trained.record, *given)
    assert code == 0 and "4 windows scored, 0 not" in said, errors
    assert not (tmp_path / "out" / "prediction.json").exists()
    with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["onset"]), int(row["offset"])) for row in rows] == [*WINDOWS]
    assert drawn == {(a + b) / 2: [*scores_of(r).values()] for r, (a, b) in zip(rows, WINDOWS, strict=True)}
    for row in rows[:2]:
        span = ["--onset", row["onset"], "--offset", row["offset"]]
        assert scores_of(row) == alone("--clip", trained.clip, *span)
    with Image.open(tmp_path / "out" / "predictions.png") as picture:
        assert picture.width > 2 * picture.height
    (trained.clip / "img2.png").rename(tmp_path / "kept.png")  # a window that fails leaves the others
    (trained.clip / "img2.png").write_bytes(b"no image")
    try:
        code, said, errors = toy("predict", trained.record, *given)
    finally:
        (tmp_path / "kept.png").replace(trained.clip / "img2.png")
    assert code == 1 and f"not scored: {trained.clip}, 1 to 10: " in errors and "3 windows scored, 1 not" in said
    for more in (["--clip", tmp_path], ["--apex", "3"]):
        code, _, errors = toy("predict", trained.record, *given, *more)
        assert code == 2 and "--window is for one clip" in errors


@pytest.fixture
def wide(trained, tmp_path):
    """A folder of images of 60×40 that show noise of 20×20 at (15, 10)."""
    (folder := tmp_path / "wide").mkdir()
    for n in (1, 2, 3):
        image = Image.new("RGB", (60, 40))
        with Image.open(trained.clip / f"img{n}.png") as face:
            image.paste(face.resize((20, 20)), (15, 10))
        image.save(folder / f"{n}.png")
    return folder


def test_the_face_is_found_where_the_image_shows_more(wide, trained, alone, tmp_path, toy, monkeypatch):
    monkeypatch.setattr("shared.report.clips.detect", lambda image: (15, 10, 35, 30) if image.any() else None)
    found = alone("--clip", wide, "--apex", 2)
    assert read_table(tmp_path / "alone")[str(wide)]["left"] == "15"
    assert found == alone("--clip", wide, "--apex", 2, "--box", 15, 10, 35, 30)
    assert found != alone("--clip", wide, "--apex", 2, "--box", 0, 0, 60, 40)
    Image.new("RGB", (60, 40)).save(wide / "1.png")
    code, _, errors = toy("predict", trained.record, "--clip", wide, "--out", tmp_path / "out")
    assert code == 2 and f"no face found in {wide}/1.png: give its box" in errors
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, errors = toy("predict", trained.record, "--clip", wide, "--out", tmp_path / "out")
    assert code == 2 and "1.png shows more than the face: install a detector (" in errors
    assert f"({sys.executable} -m pip install dlib-bin), or" in errors
    assert not (tmp_path / "out").exists()


def test_one_clip_is_on_the_disk_at_a_time(trained, tmp_path, toy, monkeypatch):
    """Of videos, which are decoded; their frame rates are those of their files."""
    import av

    for name, rate in (("a", 30), ("b", 60), ("c", 30)):
        with av.open(str(tmp_path / f"{name}.avi"), "w") as video:
            stream = video.add_stream("rawvideo", rate=rate)
            stream.width = stream.height = 40
            stream.pix_fmt = "bgr24"
            for n in range(3):
                with Image.open(trained.clip / f"img{n + 1}.png") as image:
                    video.mux(stream.encode(av.VideoFrame.from_image(image)))
            video.mux(stream.encode())
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    scores, held = Predictor.scores, []

    def counted(*given):
        held.append(len(list((tmp_path / "temporary").rglob("*.jpg"))))
        return scores(*given)

    monkeypatch.setattr(Predictor, "scores", counted)
    assert toy("predict", trained.record, "--clip", tmp_path, "--out", tmp_path / "out")[0] == 0
    assert held == [3, 3, 3] and not list((tmp_path / "temporary").iterdir())
    assert [row["fps"] for row in read_table(tmp_path / "out").values()] == ["30", "60", "30"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 1: no column clip"),
        ("clip,apex\n", "no clip in "),
        ("name,apex\nx,3\n", "row 1: no column clip; expected clip, onset, apex, offset, fps, left"),
        ("clip,apex,ApexFrame\nCLIP,3,4\n", "row 1: two columns of apex; keep one of each"),
        ("clip,apex\n,3\n", "row 2: no clip, but apex"),
        ("clip,fps\nCLIP,fast\n", "row 2: fps fast: expected more than 0 and at most 10000"),
        ("clip;fps\nCLIP;fast\n", "row 2: fps fast: expected more than 0 and at most 10000"),
        ("clip,left,top\nCLIP,3,3\n", "row 2: box 3, 3: expected left < right and top < bottom"),
        ("clip,left,top,right,bottom\nCLIP,9,3,3,9\n", "row 2: box 9, 3, 3, 9: expected left < right"),
        ('clip\n"' + "x" * 200_000, "is not a CSV file"),
    ],
)
def test_mistakes_in_a_list_of_clips(text, message, trained, tmp_path, toy):
    (tmp_path / "list.csv").write_text(text.replace("CLIP", str(trained.clip)))
    given = ["--clip", tmp_path / "list.csv", "--box", 0, 0, 4, 4, "--out", tmp_path / "out"]
    code, said, errors = toy("predict", trained.record, *given)
    assert code == 2 and not said and f"list.csv{', ' * ('row' in message)}" in errors and message in errors
    assert not (tmp_path / "out").exists()


def test_images_of_different_sizes_are_no_pair(trained, tmp_path, toy):
    Image.new("RGB", (9, 7)).save(tmp_path / "apex.png")
    given = ["--onset", trained.clip / "img1.png", "--apex", tmp_path / "apex.png", "--out", tmp_path / "out"]
    code, _, said = toy("predict", trained.record, *given)
    assert code == 2 and "the images have different sizes, " in said and "9 × 7: give frames of one clip" in said


def test_columns_that_are_not_used_are_named(trained, tmp_path, toy):
    (tmp_path / "list.csv").write_text(f"clip,onsett,person,Frame\n{trained.clip},3,Ada,7\n")
    code, _, said = toy("predict", trained.record, "--clip", tmp_path / "list.csv", "--out", tmp_path / "out")
    assert (
        code == 0
        and "list.csv: not used: onsett, person, frame; the columns that are: clip, onset, apex, offset" in said
    )


def test_images_beside_clips_are_not_taken_for_the_clip(trained, tmp_path, toy):
    for name in ("a_1.png", "a_2.png"):
        (tmp_path / name).write_bytes((trained.clip / "img1.png").read_bytes())
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "one").symlink_to(trained.clip)
    code, _, said = toy("predict", trained.record, "--clip", tmp_path, "--out", tmp_path / "out")
    assert code == 2 and f"{tmp_path} holds numbered images, and clips such as {tmp_path}/clips/one: keep" in said


def test_weights_that_their_record_does_not_vouch_for_are_refused(trained, tmp_path, toy):
    weights = trained.record.with_suffix(".safetensors")
    damaged = bytearray(weights.read_bytes())
    damaged[-3] ^= 1
    (tmp_path / trained.record.name).write_bytes(trained.record.read_bytes())
    (tmp_path / weights.name).write_bytes(damaged)
    code, said, errors = toy("predict", tmp_path / weights.name, "--clip", trained.clip, "--out", tmp_path / "out")
    assert (
        code == 2 and not said and f"is not the file that was written beside {tmp_path}/{trained.record.name}" in errors
    )


def test_moments_are_those_of_one_clip(trained, tmp_path, toy):
    code, _, errors = toy("predict", trained.record, "--clip", trained.clip, trained.clip, "--apex", 3)
    assert code == 2 and "--onset, --apex and --offset are those of one clip; a CSV has them for many" in errors


def too_large(tensors, about):
    """Finite themselves; only their products are not."""
    for name in ("norm.bias", "fc.weight"):
        tensors[name].fill_(3e38)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tensors, about: tensors["fc.bias"].fill_(float("nan")), "not all of its values are finite"),
        (too_large, "its scores of this clip are not finite numbers"),
        (lambda tensors, about: tensors.pop("fc.bias"), "Missing key"),
        (lambda tensors, about: tensors.update({"fc.bias": torch.zeros(7)}), "size mismatch"),
        (lambda tensors, about: about["config"].update(lr=float("nan")), "lr=nan: expected a finite number"),
        (lambda tensors, about: about["config"].update(no=1), "'no'"),
        (lambda tensors, about: about.update(task="samm-5"), "its labels are"),
        (lambda tensors, about: about.update(task=["x"]), "unhashable"),
        (lambda tensors, about: about.update(labels=["a", "b"]), "its labels are ['a', 'b']"),
        (lambda tensors, about: about.update(arguments={"classes": 3}), "size mismatch"),
        (lambda tensors, about: about.update(arguments=[5]), "argument after ** must be a mapping"),
        *[(lambda tensors, about, key=key: about.pop(key), repr(key)) for key in ABOUT],
    ],
)
def test_weights_that_do_not_fit_their_header(spoil, message, trained, tmp_path, toy):
    """One error that names the file, and nothing is written."""
    weights = trained.record.with_suffix(".safetensors")
    with safe_open(weights, "pt") as file:
        about, tensors = (
            json.loads(file.metadata()["about"]),
            {name: file.get_tensor(name) for name in file.offset_keys()},
        )
    assert set(about) == {*ABOUT, "input", "rule", "code"}
    spoil(tensors, about)
    (tmp_path / "fold.safetensors").write_bytes(packed(tensors, about))
    given = ["--clip", trained.clip, "--apex", 9, "--out", tmp_path / "out"]
    code, said, errors = toy("predict", tmp_path / "fold.json", *given)
    assert code == 2 and not said and not (tmp_path / "out").exists()
    assert f"{tmp_path}/fold.safetensors does not hold a network that a run left: " in errors
    assert message in errors and errors.strip().endswith("rerun its row")


def test_a_network_of_a_pretraining_predicts_nothing(trained, tmp_path, toy):
    weights = trained.record.with_suffix(".safetensors")
    with safe_open(weights, "pt") as file:
        about = json.loads(file.metadata()["about"]) | {"needs": {}}
        (tmp_path / "fold.safetensors").write_bytes(packed({k: file.get_tensor(k) for k in file.offset_keys()}, about))
    code, _, errors = toy("predict", tmp_path / "fold.safetensors", "--clip", trained.clip, "--out", tmp_path / "out")
    assert code == 2 and "fold.safetensors is of a pre-training, which torch.hub" in errors


def test_weights_are_kept_only_where_they_are_wanted(casme2, tmp_path, toy):
    assert toy("--data", casme2, "--out", tmp_path, "--no-weights")[0] == 0
    assert list(tmp_path.rglob("*.json")) and not list(tmp_path.rglob("*.safetensors"))
