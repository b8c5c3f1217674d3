"""Written roots: files and sheets as released, the truth beside them, the same bytes from any number of processes."""

import csv
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import openpyxl
import pytest
from PIL import Image
from toy.shell import ENVIRONMENT, no_file_beyond

from shared.errors import UserError
from shared.files import REMEDY
from shared.synthetic import AUS
from shared.synthetic import write as faces
from shared.synthetic.layouts.disk import write_sheets
from shared.synthetic.write import clip, plan, truth, write


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One person of CASME and one of CK+, drawn small."""
    return write(tmp_path_factory.mktemp("drawn") / "faces", ["CASME", "CK+"], scale=0.005, size=48, workers=1)


def test_same_bytes_from_two_processes(root, tmp_path):
    again = write(tmp_path / "faces", ["CASME", "CK+"], scale=0.005, size=48, workers=2)
    assert tree(again) == tree(root)
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path, workers):
    message = f"cannot write faces in {tmp_path}/faces: File too large; {REMEDY}"
    with no_file_beyond(1_000), pytest.raises(UserError, match=re.escape(message)):
        write(tmp_path / "faces", ["CASME", "CK+"], scale=0.005, size=48, workers=workers)
    assert not list(tmp_path.iterdir())


def running(process: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_processes_that_draw_end_with_the_one_that_is_killed(tmp_path):
    script = tmp_path / "draw.py"
    script.write_text(
        "import sys\nfrom shared.synthetic.write import write\n"
        "if __name__ == '__main__':\n    write(sys.argv[1], ['CASME2'], workers=2)\n"
    )
    with subprocess.Popen([sys.executable, script, tmp_path / "faces"], env=ENVIRONMENT) as run:
        while not list(tmp_path.rglob("*.jpg")):
            time.sleep(0.05)
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.kill()
    assert len(children) >= 2
    until = time.monotonic() + 20
    while any(map(running, children)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_other_seeds_draw_other_people(root, tmp_path):
    other = write(tmp_path / "faces", ["CASME"], scale=0.005, size=48, seed=1, workers=1)
    assert set(truth(other).person).isdisjoint(truth(root).person)


def test_images_are_there_at_the_size(root):
    table = truth(root)
    assert set(table.corpus) == {"CASME", "CK+"}
    for row in table.itertuples():
        with Image.open(root / row.file) as image:
            assert image.size == (row.width, row.height)
            assert image.mode == ("L" if row.corpus == "CK+" else "RGB")
            assert (image.width > image.height) == (row.corpus == "CK+")  # 640 × 490; CASME's crops are 280 × 340
    folders = {(root / file).parent for file in table.file}
    assert sum(len(list(folder.iterdir())) for folder in folders) == table.frames.sum()


def test_sheet_agrees_with_truth(root):
    sheet = openpyxl.load_workbook(root / "CASME/casme.xlsx").active
    header, *rows = sheet.iter_rows(values_only=True)
    assert header == ("Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion")
    table = truth(root).query("corpus == 'CASME'")
    assert len(rows) == len(table)
    for row, true in zip(rows, table.itertuples(), strict=True):
        assert f"sub{row[0]:02d}/{row[1]}/" in true.file
        assert (row[3], row[4], row[6]) == (true.onset, true.apex, true.offset)
        coded = {int(part.strip("LR")) for part in str(row[8]).split("+")}
        assert coded == {au for au in AUS if getattr(true, f"AU{au}") > 0}


def test_truth_gives_the_clip_back(root):
    row = truth(root).query("corpus == 'CK+'").iloc[0]
    frames = clip(row).render((int(row.height), int(row.width)), margin=float(row.margin), gray=True)
    with Image.open(root / row.file) as image:
        assert np.array_equal(frames[0], np.asarray(image))
    peaks = clip(row).intensities.max(0)
    assert all(peaks[k] == pytest.approx(row[f"AU{au}"], abs=1e-5) for k, au in enumerate(AUS))
    assert clip(row).intensities.sum(1).argmax() == row.apex - row["first"]


def test_truth_names_the_sides(tmp_path):
    """A unit of one side does not move on the other."""
    rows = truth(write(tmp_path / "faces", ["CASME2"], pixels=False))
    shots = plan("CASME2", "smoke").shots
    assert [row.file for row in rows.itertuples()] == [f"CASME2/{shot.files[0]}" for shot in shots]
    lopsided = [i for i, shot in enumerate(shots) if shot.display.sides][:3]
    for i in lopsided:
        ((au, side),) = shots[i].display.sides.items()
        gain = clip(rows.iloc[i]).gain[au]
        assert gain[side] > 0.5 and gain["LR".replace(side, "")] == 0
    assert lopsided


def test_root_is_marked_and_kept(root):
    before = tree(root)
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert "Generated faces: drawn by this project, no real person" in (root / "GENERATED.txt").read_text()
    assert all((path / ".generated").is_file() for path in root.iterdir() if path.is_dir())
    write(root, ["CK+"], scale=0.005, size=48, workers=1)
    assert tree(root) == before and {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times
    with pytest.raises(UserError, match="holds other faces"):
        write(root, ["CASME"], scale=0.005, size=64, workers=1)


def test_corpora_join_those_that_are_there(root, tmp_path):
    write(tmp_path / "faces", ["CASME"], scale=0.005, size=48, workers=1)
    write(tmp_path / "faces", ["CASME", "CK+"], scale=0.005, size=48, workers=1)
    assert tree(tmp_path / "faces") == tree(root)
    shutil.rmtree(tmp_path / "faces/CK+")  # as when killed between the marker and the folder
    assert tree(write(tmp_path / "faces", ["CK+"], scale=0.005, size=48, workers=1)) == tree(root)


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(UserError, match="holds something"):
        write(tmp_path / "mine", ["CASME"])
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_stays_after_an_interruption(tmp_path, workers):
    def stop(done, total):
        assert 0 < done <= total
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "faces", ["CASME"], scale=0.1, size=16, workers=workers, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"faces.tmp-{socket.gethostname()}-{gone.pid}/CASME").mkdir(parents=True)
    write(tmp_path / "faces", ["CASME"], scale=0.005, pixels=False)
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


@pytest.mark.parametrize(
    ("name", "share"),
    [("SAMM", 0.01), ("SMIC", 0.01), ("CK+", 0.05), ("Oulu-CASIA", 0.01), ("DFEW", 0.001), ("EmotioNet", 0.001)],
)
def test_placeholders_stand_for_every_image(name, share, tmp_path):
    root = write(tmp_path / "faces", [name], scale=share, pixels=False)
    layout = plan(name, share)
    files = {path.relative_to(root / name).as_posix() for path in (root / name).rglob("*") if path.is_file()}
    assert files == {file for shot in layout.shots for file in shot.files} | {*layout.sheets, ".generated"}
    with Image.open(root / name / layout.shots[0].files[0]) as image:
        assert f".{image.format}" in Path(layout.shots[0].files[0]).suffix.upper().replace("JPG", "JPEG")
    if name == "CK+":
        assert any(not list(folder.iterdir()) for folder in (root / "CK+/Emotion").glob("*/*"))


def test_full_casme2_and_samm(tmp_path):
    casme2, samm = plan("CASME2", "full", edition="2019"), plan("SAMM", "full")
    write_sheets(tmp_path, casme2), write_sheets(tmp_path, samm)
    rows = list(openpyxl.load_workbook(tmp_path / "CASME2-coding-20190701.xlsx").active.values)
    assert len(rows) == 256 and rows[0][2] is None and rows[0][6] is None and rows[0][9] == "Objective Classes"
    assert all(isinstance(row[0], str) and len(row[0]) == 2 for row in rows[1:])
    files = {file for shot in casme2.shots for file in shot.files}
    for row in rows[1:]:
        numbers = [n for n in row[3:6] if n != "/"]
        assert all(f"Cropped/sub{row[0]}/{row[1]}/reg_img{n}.jpg" in files for n in numbers)
    rows = list(openpyxl.load_workbook(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx").active.values)
    assert len(rows) == 13 + 1 + 159 and rows[13][0] == "Subject" and rows[14][6] == "=F15-D15+1"
    assert len({Path(file).parent for shot in samm.shots for file in shot.files}) == 159


def test_text_sheets(tmp_path):
    root = write(tmp_path / "faces", ["DFEW", "FERV39k", "CK+"], pixels=False)
    with open(root / "DFEW/EmoLabel_DataSplit/test(single_labeled)/set_1.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 20 and all(1 <= int(row["label"]) <= 7 for row in rows)
    for row in rows:
        assert (root / f"DFEW/Clip/clip_224x224/{int(row['video_name']):05d}").is_dir()
    for line in (root / "FERV39k/4_setups/All_scenes/test_All.csv").read_text().splitlines():
        path, word = line.split(" ")
        assert (root / "FERV39k/2_ClipsforFaceCrop" / path).is_dir() and path.split("/")[1] == word
    for file in (root / "CK+/Emotion").rglob("*.txt"):
        assert 1 <= int(float(file.read_text())) <= 7


def test_films_hold_every_frame(tmp_path):
    root = write(tmp_path / "faces", ["MMI"], scale=0.01, size=32, workers=1)
    row = truth(root).iloc[0]
    with av.open(str(root / row.file)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == row.frames and frames[0].shape == (row.height, row.width, 3)
    drawn = clip(row).render((int(row.height), int(row.width)), margin=float(row.margin))
    assert np.abs(drawn.astype(float) - np.stack(frames)).mean() < 4


def test_films_need_pyav(tmp_path, monkeypatch):
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: None)
    assert "MMI" not in faces._drawable()
    with pytest.raises(UserError, match="PyAV"):
        write(tmp_path / "faces", ["MMI"], pixels=False)


def test_unknown_corpus_is_refused(tmp_path):
    with pytest.raises(UserError, match="CASME2"):
        write(tmp_path / "faces", ["CASMEII"])
