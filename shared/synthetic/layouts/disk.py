"""Images, films and sheets as files, or placeholders for images."""

import csv
import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from PIL import Image

from .common import Plan, Table

FILM = ".avi"
LINKS = 30_000  # names that share one placeholder file; file systems allow about 65,000


def save(frames: np.ndarray, paths: list[str], fps: float) -> None:
    """Write frames, uint8 (T, H, W[, 3]), as images or as one film; with little loss: micro-movements are faint."""
    if paths[0].endswith(FILM):
        return _film(frames, paths[0], fps)
    for frame, path in zip(frames, paths, strict=True):
        options: dict[str, Any] = {"quality": 95, "subsampling": 0} if path.endswith(("jpg", "jpeg")) else {}
        Image.fromarray(frame).save(path, **options)


def _film(frames: np.ndarray, path: str, fps: float) -> None:
    """Write a film of motion JPEG."""
    import av

    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, -1)
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=round(fps), options={"qmin": "2", "qmax": "2"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuvj444p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")))
        container.mux(stream.encode())


def write_sheets(folder: Path, plan: Plan) -> None:
    """Write the sheets of a plan and its empty folders."""
    for name in plan.folders:
        (folder / name).mkdir(parents=True)
    for name, content in plan.sheets.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, Mapping):
            path.write_bytes(_workbook(content))
        elif path.suffix == ".csv":
            with open(path, "w", newline="") as stream:
                csv.writer(stream).writerows(content)
        else:
            path.write_bytes(_workbook({"Sheet1": content}))


def _workbook(sheets: Mapping[str, Table]) -> bytes:
    """An .xlsx of these sheets, the same bytes whenever it is written."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    written, dateless = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(dateless, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if name == "docProps/core.xml":  # holds the time of writing; nothing needs it
                continue
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    return dateless.getvalue()


def link_placeholders(paths: Iterable[str]) -> None:
    """Put one tiny image under all these names, by hard links."""
    source: dict[str, str] = {}
    for i, path in enumerate(paths):
        kind = os.path.splitext(path)[1]
        if kind not in source or i % LINKS == 0:
            source[kind] = path
            save(np.full((1, 8, 8), 128, np.uint8), [path], 25)
        else:
            os.link(source[kind], path)
