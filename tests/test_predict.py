"""What a run has learned can be used again: each package's weights predict for its test clips what the record says."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from tiny import ROWS, experiment_of, options, paper_of

from shared.report.predict import MADE_BY
from shared.runs.experiment import predicted
from shared.runs.weights import load_network, packed

ABOUT = ("package", "network", "arguments", "task", "labels", "config", *MADE_BY)


@pytest.mark.parametrize("package", ROWS)
def test_a_fold_s_weights_say_what_its_record_says(package, few_faces, tmp_path, toy):
    paper = paper_of(package)
    code, _, errors = toy(*options(package, few_faces, tmp_path), "--skip-broken", paper=paper)
    assert code == 0, errors

    experiment = experiment_of(package, few_faces, tmp_path)
    samples, data = experiment.session.inputs(experiment.task, experiment.config)
    for path in sorted(experiment.folder.glob("*.json"))[:2]:
        record = json.loads(path.read_text(encoding="utf-8"))
        net, about = load_network(path.with_suffix(".safetensors"), package)
        assert about["config"] == record["config"] and about["fold"] == record["fold"]
        assert about["labels"] == experiment.task.outputs
        inputs = (torch.rand(2, *shape) for shape in about["input"]["shapes"].values())
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
        ["--clip", tmp_path / "wide", "--apex", 2],
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
        (["--clip", "CLIP", "--apex", "high"], "--apex high: expected a frame number, because --clip is given"),
        (["--clip", "EMPTY"], "holds 0 numbered images"),
        (["--clip", "RECORD"], "the video cannot be decoded"),
        (["--clip", "CLIP", "--onset", "9", "--apex", "3"], "onset 9 lies after apex 3"),
        (["--clip", "CLIP", "--apex", "9", "--offset", "3"], "apex 9 lies after offset 3"),
        (["--clip", "CLIP", "--onset", "9", "--offset", "3"], "onset 9 lies after offset 3"),
        (["--clip", "CLIP", "--apex", "²"], "--apex ²: expected a frame number"),
        (["--clip", "CLIP", "--fps", "-25"], "-25: expected more than 0 and at most 10000 frames per second"),
        (["--clip", "CLIP", "--fps", "nan"], "nan: expected more than 0"),
        (["--clip", "CLIP", "--fps", "9000"], "no apex can be found in"),
    ],
)
def test_mistakes_are_said(given, message, trained, tmp_path, toy):
    (tmp_path / "empty").mkdir()
    places = {"CLIP": trained.clip, "EMPTY": tmp_path / "empty", "RECORD": trained.record}
    code, _, errors = toy("predict", trained.record, *(places.get(g, g) for g in given), "--out", tmp_path / "out")
    assert code == 2 and message in errors and not (tmp_path / "out").exists()


def test_other_files_are_no_network(trained, tmp_path, toy):
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for path, message in (
        (tmp_path / "none.json", "none.safetensors is not there"),
        (tmp_path / "empty.safetensors", "does not hold a network that a run left"),
    ):
        code, _, errors = toy("predict", path, "--clip", trained.clip)
        assert code == 2 and message in errors
    code, _, errors = toy("predict", trained.record, "--clip", trained.clip, paper=paper_of("ma2mi"))
    assert code == 2 and "holds a network of toy, not of ma2mi" in errors


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
        (lambda tensors, about: about.update(needs={}), "it is of a pre-training"),
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


def test_weights_are_kept_only_where_they_are_wanted(casme2, tmp_path, toy):
    assert toy("--data", casme2, "--out", tmp_path, "--no-weights")[0] == 0
    assert list(tmp_path.rglob("*.json")) and not list(tmp_path.rglob("*.safetensors"))
