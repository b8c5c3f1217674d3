"""Inputs that no release holds: each is read or refused in words. None ends in a traceback, none is waited on for ever.

`MER_BAD=300 pytest tests/test_bad_inputs.py -s` draws that many, and prints how they ended.
"""

import csv
import io
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import av
import numpy as np
import openpyxl
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from tiny import ROWS, paper_of, session_of
from toy.experiments import PAPER

from shared.cli import main
from shared.corpora import casme2, ckplus, ferv39k, mmi
from shared.corpora.samples import Reading, Video, sample_table
from shared.errors import UserError
from shared.pixels import boxes
from shared.pixels.images import UNREADABLE, check, problem_with, read
from shared.pixels.videos import decoded
from shared.runs.published import Published
from shared.runs.weights import packed, published_weights, read_tensors

COUNT = int(os.environ.get("MER_BAD", "28"))
SECONDS = 60  # until an input counts as one that is waited on for ever; this machine may be busy


def spoil(content: bytes, rng: random.Random) -> bytes:
    """The content of a file, damaged as by a bad disk or a broken download."""
    content = content or b"\0"
    place = rng.randrange(len(content))
    kind = rng.choice(["cut", "flip", "zero", "insert", "join", "empty"])
    if kind == "flip":
        changed = bytearray(content)
        for _ in range(rng.choice([1, 5, 50])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)
    insert = rng.randbytes(rng.randrange(1, 99))
    zeroed = content[:place] + bytes(len(content[place:]))
    joined = content[place:] + content[:place]
    return {"cut": content[:place], "zero": zeroed, "insert": content[:place] + insert + content[place:]}.get(
        kind, joined if kind == "join" else b""
    )


def no_file(path: Path, rng: random.Random) -> None:
    """Something else of that name."""
    path.unlink(missing_ok=True)
    kind = rng.choice(["pipe", "folder", "zeros", "loop", "dangling"])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"zeros": "/dev/zero", "loop": path.name, "dangling": "nowhere"}[kind])


def image(path: Path, rng: random.Random) -> None:
    kind = rng.choice(["spoilt", "spoilt", "huge", "mode", "exif", "other", "none"])
    if kind == "none":
        return no_file(path, rng)
    pixels = Image.fromarray(np.random.default_rng(rng.randrange(99)).integers(0, 256, (9, 11, 3), np.uint8))
    pixels.save(content := io.BytesIO(), rng.choice(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM"]))
    made = content.getvalue()
    if kind == "spoilt":
        made = spoil(made, rng)
    elif kind == "huge":
        side = rng.choice([60_000, 2**31 - 1, 0])
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        png = b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82"
        bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        qoi = b"qoif" + struct.pack(">IIBB", side, side, 3, 0)
        xbm = f"#define a_width {side}\n#define a_height {side}\nstatic char a_bits[] = {{\n0x00 }};\n".encode()
        pgm = f"P5 {side} {side} 255\n".encode()
        made = rng.choice(
            [png, bmp, qoi, xbm, pgm, b"DDS " + struct.pack("<IIII", 124, 0x1007, side, side) + bytes(108)]
        )
    elif kind == "mode":
        values = np.arange(99).reshape(9, 11).astype(rng.choice(["uint16", "int32", "float32"]))
        Image.fromarray(values).save(content := io.BytesIO(), "TIFF")
        made = content.getvalue()
    elif kind == "exif":
        exif = b"Exif\0\0" + rng.choice([b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff", rng.randbytes(40)])
        pixels.save(content := io.BytesIO(), rng.choice(["PNG", "JPEG"]), exif=exif)
        made = content.getvalue()
    elif kind == "other":
        made = rng.choice([b"", b"<html>not found</html>", b"%PDF-1.4", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"{}"])
    path.write_bytes(made)


def read_image(path: Path) -> None:
    try:
        for reader in (check, lambda file: read(file, 8)):
            reader(str(path))
    except UNREADABLE as error:
        raise UserError(problem_with(str(path), error, "a sample")) from error


def sheet(path: Path, rng: random.Random) -> None:
    """A root with CASME II, whose sheet is odd, or with CK+, FERV39k or MMI, whose lists are."""
    kind = rng.choice(["spoilt", "cells", "cells", "csv", "none", "boxes", "text"])
    root = shutil.copytree(WHOLE[0], path)
    (book,) = root.rglob("*.csv")
    with open(book, newline="") as file:
        rows = [[int(cell) if cell.isdecimal() else cell for cell in row] for row in csv.reader(file)]
    book.unlink()
    (workbook := openpyxl.Workbook()).active.title = "label"
    for row in rows:
        workbook.active.append(row)
    workbook.save(book := book.with_suffix(".xlsx"))
    if kind == "none":
        no_file(book, rng)
    elif kind == "spoilt":
        book.write_bytes(spoil(book.read_bytes(), rng))
    elif kind == "cells":
        odd = rng.choice(["300000000", "1048577", "-5", "x"]), rng.choice(["XFD2", "ZZZZZZ2", "B300000000", "B0", ""])
        with zipfile.ZipFile(book) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        name = "xl/worksheets/sheet1.xml"
        parts[name] = rng.choice(
            [
                parts[name].replace(b'<row r="2"', f'<row r="{odd[0]}"'.encode()),
                parts[name].replace(b'"B2"', f'"{odd[1]}"'.encode()),
                parts[name].replace(b't="inlineStr"', b't="s"').replace(b't="n"', b't="s"'),
                parts[name].replace(b"<sheetData>", b"<sheetData>" + b"<row>" * 3),
                b'<!DOCTYPE a [<!ENTITY a "&b;&b;"><!ENTITY b "&a;">]>' + parts[name],
                bytes(2**20),
            ]
        )
        with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as new:
            for name, content in parts.items():
                new.writestr(name, content)
    elif kind == "csv":
        book.unlink()
        head = b"Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion\n"
        rows = [
            b"\n" * 2_000_000,
            b"," * 2_000_000,
            b'"' + b"a" * 2_000_000,
            b"\0" * 99,
            "é,ß\n".encode("utf-16"),
            rng.randbytes(999),
        ]
        book.with_suffix(".csv").write_bytes(rng.choice([head, b""]) + rng.choice(rows))
    elif kind == "boxes":
        head = b"sample,left,top,right,bottom\n" * rng.randrange(2)
        rows = [
            b"a,1,2\n",
            b"a,nan,inf,1e999,-1\n",
            b"\0" * 99,
            b'"' + b"a" * 200_000,
            b"a,b,c,d,e,f,g\n",
            rng.randbytes(99),
        ]
        (root / "CASME2" / "boxes.csv").write_bytes(head + rng.choice(rows))
    else:
        words = rng.choice(
            [b"nan", b"inf", b"1e400", b"9" * 5000, b"\xff\xfe", b"", b"<a", b'<?xml version="1.0" encoding="x"?>']
        )
        for kind, ending in (("Emotion", "emotion"), ("FACS", "facs")):
            folder = root / "CK+" / kind / "S005" / "001"
            folder.mkdir(parents=True)
            (folder / f"S005_001_00000011_{ending}.txt").write_bytes(words)
        (root / "CK+" / "cohn-kanade-images" / "S005" / "001").mkdir(parents=True)
        (root / "CK+" / "cohn-kanade-images" / "S005" / "001" / f"S005_001_{'0' * 200}11.png").touch()
        (root / "MMI" / "Sessions" / "1").mkdir(parents=True)
        for name in ("session.xml", "S001-001.xml", "S001-001.avi"):
            (root / "MMI" / "Sessions" / "1" / name).write_bytes(words)
        (root / "FERV39k" / "4_setups" / "All_scenes").mkdir(parents=True)
        (root / "FERV39k" / "2_ClipsforFaceCrop" / "Action" / "Happy" / "0267").mkdir(parents=True)
        for name in ("train_All.csv", "test_All.csv"):
            (root / "FERV39k" / "4_setups" / "All_scenes" / name).write_bytes(b"Action/Happy/0267 Happy\n" + words)


def read_sheets(path: Path) -> None:
    said = []
    for corpus in (casme2, ckplus, ferv39k, mmi):
        try:
            said += corpus.read(path).problems
        except UserError as error:
            said.append(error)
    boxes.load(path / "CASME2" / "boxes.csv")
    if said:
        raise UserError("\n".join(map(str, said)))


def video(path: Path, rng: random.Random) -> None:
    kind = rng.choice(["spoilt", "spoilt", "list", "size", "none"])
    if kind == "none":
        return no_file(path, rng)
    with av.open(made := io.BytesIO(), "w", format=rng.choice(["avi", "matroska"])) as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuvj444p"
        for t in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((24, 32, 3), 60 * t, np.uint8), "rgb24")))
        container.mux(stream.encode())
    other = path.with_name("other.avi")
    other.write_bytes(made.getvalue())
    lists = [
        f"ffconcat version 1.0\nfile '{other}'\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
        f'<?xml version="1.0"?><MPD><BaseURL>{other}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    ]
    side = struct.pack("<II", 60_000, 60_000)
    huge = made.getvalue().replace(struct.pack("<II", 32, 24), side)
    path.write_bytes({"list": rng.choice(lists).encode(), "size": huge}.get(kind, spoil(made.getvalue(), rng)))


def read_video(path: Path) -> None:
    row = ("a", "X", "a", "happy", (), "", 0, None, None, 25.0, Video(str(path)), "", None)
    reading = decoded(Reading("X", str(path.parent), "", sample_table([row])), path.parent / "cache")
    assert not (path.is_file() and path.read_bytes()[:2] in (b"ff", b"#E") and len(reading.samples))
    if reading.problems:
        raise UserError(reading.problems[0])


def odd(rng: random.Random):
    """A value that nobody would write there."""
    values = [
        None,
        True,
        -1,
        0,
        2**70,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "../..",
        [],
        [1],
        {},
        {"a": 1},
        "é\udcff",
    ]
    return rng.choice(values)


def weights(path: Path, rng: random.Random) -> None:
    """A folder with a fold's record and its weights, odd, and `published.pth`, odder."""
    shutil.copytree(WHOLE[1], path)
    file = sorted(path.rglob("*_sub01.json"))[0].with_suffix(".safetensors")
    kind = rng.choice(["spoilt", "header", "header", "nan", "shape", "type", "none"])
    if kind == "none":
        no_file(file, rng)
        return no_file(path / "published.pth", rng)
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["about"])
        tensors = {name: opened.get_tensor(name).clone() for name in opened.offset_keys()}
    name = rng.choice(sorted(tensors))
    if kind == "header":
        place = rng.choice([about, about["config"], about["arguments"]])
        key = rng.choice(sorted(place))
        rng.choice([lambda: place.pop(key), lambda: place.update({key: odd(rng)})])()
    elif kind == "nan":
        tensors[name] = torch.full_like(tensors[name].float(), rng.choice([float("nan"), float("inf"), 3e38]))
    elif kind == "shape":
        tensors[name] = torch.zeros(rng.choice([(), (0,), (7,), (2, 2)]))
    elif kind == "type":
        tensors[name] = tensors[name].to(rng.choice([torch.complex64, torch.int8, torch.float16, torch.float8_e4m3fn]))
    content = packed(tensors, about)
    file.write_bytes(spoil(content, rng) if kind == "spoilt" else content)
    torch.save(tensors, saved := io.BytesIO())
    other = rng.choice([pickle.dumps(Path), pickle.dumps([1]), content, saved.getvalue(), b"PK\x03\x04"])
    (path / "published.pth").write_bytes(spoil(other, rng) if kind == "spoilt" else other)


def read_weights(path: Path) -> None:
    file = Published(name="published.pth", what="weights", source="", licence="", setting="", without="nothing else")
    with published_weights(path / file.name, file):
        torch.nn.Linear(2, 2).load_state_dict(read_tensors(path / file.name))


def predict(path: Path) -> None:
    clip = sorted((WHOLE[0] / "CASME2" / "Cropped" / "sub01").iterdir())[0]
    record = sorted(path.rglob("*_sub01.json"))[0]
    command("predict", record, "--clip", clip, "--apex", 2, "--out", path / "prediction")
    json.loads((path / "prediction" / "prediction.json").read_text(), parse_constant=lambda name: 1 / 0)


def record(path: Path, rng: random.Random) -> None:
    shutil.copytree(WHOLE[1], path)
    files = [
        p
        for p in path.rglob("*")
        if p.is_file() and p.suffix in (".json", ".lock", ".safetensors", ".u8", ".npy", ".pt")
    ]
    kind = rng.choice(sorted({p.suffix for p in files}))
    file = rng.choice(sorted(p for p in files if p.suffix == kind))
    if rng.random() < 0.3:
        return no_file(file, rng)
    file.write_bytes(
        rng.choice([spoil(file.read_bytes(), rng), rng.choice(sorted(files)).read_bytes(), b"null", b"[" * 9999])
    )


def rerun(path: Path) -> None:
    command("table1/plain", "--data", WHOLE[0], "--out", path, "--processes", 1)


def setting(path: Path, rng: random.Random) -> None:
    package = rng.choice(sorted(ROWS))
    key = rng.choice([*(f for f in paper_of(package).config.__dataclass_fields__), "nothing", "", "é"])
    values = [
        "",
        "nan",
        "inf",
        "-1",
        "0",
        "1e309",
        "9" * 5000,
        "x",
        "true",
        "1,2,3",
        "[]",
        "²",
        "1_0",
        "0x10",
        "../x",
        " ",
        "é\udcff",
    ]
    path.write_text(json.dumps([package, key, rng.choice(values)]))


def read_setting(path: Path) -> None:
    package, key, value = json.loads(path.read_text())
    row, _ = ROWS[package]
    session = session_of(paper_of(package), [row, "--data", str(path.parent), f"--set={key}={value}"])
    ((table, (chosen,)),) = session.paper.choose([row])
    for experiment in session.experiments(chosen, table.columns[0], 1):
        session.files(experiment.config)
        _ = experiment.folder


def place(path: Path, rng: random.Random) -> None:
    """A folder with `data` and `out`, one of which is none, or has an odd name."""
    path.mkdir()
    which = rng.choice(["data", "out", "weights"])
    names = [b"caf\xe9", "ünï".encode(), b"a b'\"$(x)", b"-x", b"new\nline", b"%s{}", b"x" * 255]
    if kind := rng.randrange(3):
        odd = os.fsdecode(path / rng.choice([os.fsdecode(name) for name in names]))
        if kind == 1 and which == "data":
            shutil.copytree(WHOLE[0], odd)
    else:
        odd = str(path / "odd")
        no_file(Path(odd), rng)
        odd += rng.choice(["", "/below", "/" + "x" * 300])
    (path / "which").write_bytes(f"{which}\0".encode() + os.fsencode(odd))


def run_there(path: Path) -> None:
    which, _, odd = os.fsdecode((path / "which").read_bytes()).partition("\0")
    places = {"data": str(WHOLE[0]), "out": str(path / "out"), "weights": str(path), which: odd}
    command(
        "table1/plain", *(f"--{name}={where}" for name, where in places.items()), "--processes", 1, "--set=epochs=1"
    )


def command(*arguments: object) -> None:
    """A command of the toy. Raises UserError where it ends with 2, with what it says."""
    from contextlib import redirect_stderr, redirect_stdout

    said = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    with (
        redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")),
        redirect_stderr(said),
        pytest.raises(SystemExit) as ended,
    ):
        main(PAPER, [str(a) for a in arguments])
    said.seek(0)
    if ended.value.code:
        words = said.read()
        assert "error: " in words and "[Errno None]" not in words, words
        raise UserError(words)


KINDS = {
    "image": (image, read_image),
    "sheet": (sheet, read_sheets),
    "video": (video, read_video),
    "weights": (weights, read_weights),
    "predict": (weights, predict),
    "record": (record, rerun),
    "setting": (setting, read_setting),
    "path": (place, run_there),
}
WHOLE: tuple[Path, Path]


def work(kind: str, seeds: list[int], folder: Path, said) -> None:
    """Draws and reads inputs, in a process of its own; tells how each ended."""
    os.setsid()
    make, use = KINDS[kind]
    for seed in seeds:
        path = folder / f"{kind}{seed}"
        make(path, random.Random(f"{kind}{seed}"))
        try:
            use(path)
            said.send(("read", ""))
        except UserError as error:
            said.send(("explained" if len(str(error)) > 20 else "unexplained", str(error)))
        except BaseException as error:
            import traceback

            said.send(("unexplained", "".join(traceback.format_exception(error))))


@pytest.mark.parametrize("kind", KINDS)
def test_bad_inputs_are_explained(kind, whole, tmp_path):
    global WHOLE
    WHOLE = whole
    fork = multiprocessing.get_context("fork")
    seeds, ended, bad = list(range(-(-COUNT // len(KINDS)))), Counter(), []
    while seeds:
        ours, theirs = fork.Pipe()
        process = fork.Process(target=work, args=(kind, seeds, tmp_path, theirs))
        process.start()
        theirs.close()
        for seed in list(seeds):
            try:
                how, words = ours.recv() if ours.poll(SECONDS) else ("hung", "")
            except EOFError:
                how, words = "unexplained", "the process died"
            seeds.remove(seed)
            ended[how] += 1
            if how in ("hung", "unexplained"):
                bad.append(f"{kind}{seed} {how}: {words}")
            if how == "hung" or words == "the process died":
                break
        os.killpg(process.pid, signal.SIGKILL) if process.is_alive() else None
        process.join()
    print(kind, dict(ended))
    assert not bad, "\n".join(bad)
