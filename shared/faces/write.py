"""Writes generated corpora in the layouts in which the real ones are released, sheets and their quirks included."""

import csv
import io
import multiprocessing
import os
import shutil
import socket
import zipfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from PIL import Image

from .layouts import LAYOUTS
from .layouts.common import Layout, Shot

VERSION = 1
MARKER, TRUTH = "GENERATED.txt", "truth.csv"
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 43)
LINKS = 30_000  # names that share one placeholder file; file systems allow about 65,000


def plan(corpus: str, scale: str | float = "full", *, seed: int = 0, edition: str | None = None) -> Layout:
    """What a corpus's folder will hold: at "smoke", "full" (the real corpus's counts) or a share of full in 0 … 1.

    Raises KeyError for an unknown corpus or edition.
    """
    layout = LAYOUTS[corpus]
    edition = edition or next(iter(layout.EDITIONS))
    if edition not in layout.EDITIONS:
        raise KeyError(f"{corpus} has the editions {', '.join(layout.EDITIONS)}, not {edition}")
    return layout.lay(scale, seed, edition)


def write(
    root: str | os.PathLike, corpora: Iterable[str] | None = None, *, scale: str | float = "smoke", size: int = 128, seed: int = 0,
    editions: Mapping[str, str] | None = None, tight: bool | None = None, pixels: bool = True, workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:  # fmt: skip
    """Write the corpora (all if not given) below `root`, which appears whole or not at all; returns it.

    `size` is the side of a face crop in pixels; `tight` crops the corpora that are released with their background, too
    (by default at "smoke" only); without `pixels` each image is one placeholder; `progress(clips done, clips in all)`.
    A root that holds just this already is left as it is. Raises FileExistsError where it holds anything else.
    """
    root, names = Path(root), list(LAYOUTS if corpora is None else corpora)
    tight = scale == "smoke" if tight is None else tight
    editions = {name: (editions or {}).get(name) or next(iter(LAYOUTS[name].EDITIONS)) for name in names}
    marker = _marker(editions, scale=scale, size=size, seed=seed, tight=tight, pixels=pixels)
    if _holds(root, marker):
        return root
    plans = {name: plan(name, scale, seed=seed, edition=editions[name]) for name in names}
    if tight:
        for layout in plans.values():
            layout.shots = [replace(shot, margin=0.0, shape=(1.0, 1.0)) if shot.margin > 0.5 else shot for shot in layout.shots]
    temporary = _temporary(root)
    try:
        for name, layout in plans.items():
            _write_sheets(temporary / name, layout)
        shots = [(name, shot) for name, layout in plans.items() for shot in layout.shots]
        _make_folders(temporary, shots)
        if pixels:
            _draw_all(temporary, shots, size, workers, progress)
        else:
            _place(temporary, shots)
        _write_truth(temporary / TRUTH, shots)
        (temporary / MARKER).write_text(marker)
        if not _holds(root, marker):
            os.replace(temporary, root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return root


def truth(root: str | os.PathLike) -> pd.DataFrame:
    """The truth of a generated root, one row a clip: who, seeds, true onset, apex and offset, the peak of each AU."""
    return pd.read_csv(Path(root) / TRUTH, keep_default_na=False)


def clip(row: Mapping[str, object]):
    """The `Clip` behind a row of `truth`: intensities of each frame and motion from the onset, all that was drawn."""
    aus = {au: row[f"AU{au}"] for au in UNITS if row[f"AU{au}"] > 0}
    sides = {int(part[1:]): part[0] for part in row["sides"].split()}
    first = row["first"]
    return _clip(row["person"], aus, sides, row["frames"], row["onset"] - first, row["apex"] - first, row["offset"] - first,
                 row["fps"], row["seed"])  # fmt: skip


def _clip(person: int, aus, sides, frames: int, onset: int, apex: int, offset: int, fps: float, seed: int):
    from . import Clip, Person  # torch is loaded by those who draw, not by those who plan

    return Clip(Person.draw(int(person)), aus, frames=int(frames), onset=int(onset), apex=int(apex), offset=int(offset),
                fps=float(fps), seed=int(seed), sides=sides)  # fmt: skip


def _marker(editions: Mapping[str, str], **settings: object) -> str:
    lines = ["Generated faces: drawn by this project, no real person. Figures made from them are not comparable with any paper's."]
    lines += [f"version: {VERSION}", *(f"{key}: {value}" for key, value in settings.items())]
    return "\n".join([*lines, *(f"corpus: {name} {edition}" for name, edition in editions.items()), ""])


def _holds(root: Path, marker: str) -> bool:
    """Whether root holds just these faces. Raises FileExistsError where it holds something else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    found = (root / MARKER).read_text() if (root / MARKER).is_file() else "no generated faces"
    if found != marker:
        raise FileExistsError(f"{root} holds something else ({MARKER} there: {found.strip()!r}); give an empty folder")
    return True


def _temporary(root: Path) -> Path:
    """A new folder beside root; those of processes of this machine that are gone are removed."""
    start = f"{root.name}.tmp-{socket.gethostname()}-"
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(start + "*"):
        try:
            os.kill(int(left.name.removeprefix(start)), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
    folder = root.with_name(f"{start}{os.getpid()}")
    folder.mkdir()
    return folder


def _make_folders(root: Path, shots: list[tuple[str, Shot]]) -> None:
    for folder in {os.path.dirname(f"{root}/{name}/{shot.path}") for name, shot in shots}:
        os.makedirs(folder, exist_ok=True)


def _place(root: Path, shots: list[tuple[str, Shot]]) -> None:
    """One tiny image under all names, by hard links."""
    links, source = 0, {}
    for name, shot in shots:
        for file in shot.files:
            path, kind = f"{root}/{name}/{file}", os.path.splitext(file)[1]
            if kind not in source or links % LINKS == 0:
                source[kind] = path
                _save(np.full((8, 8), 128, np.uint8), path) if Image.registered_extensions().get(kind) else open(path, "wb").close()
            else:
                os.link(source[kind], path)
            links += 1


def _draw_all(
    root: Path, shots: list[tuple[str, Shot]], size: int, workers: int | None, progress: Callable[[int, int], None] | None
) -> None:
    """Draw every shot, a person at a time, over processes; each shot hangs on its own seeds alone."""
    jobs: dict[tuple, list[tuple[str, Shot]]] = {}
    for name, shot in shots:
        jobs.setdefault((name, shot.person, shot.shape, shot.margin), []).append((name, shot))
    workers = min(workers or len(os.sched_getaffinity(0)), len(jobs))
    done = 0
    if workers <= 1:
        for job in jobs.values():
            done += _draw(root, job, size)
            if progress:
                progress(done, len(shots))
        return
    # Spawned, not forked: a fork of a process whose torch has run threads may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        try:
            for drawn in as_completed([pool.submit(_draw, root, job, size) for job in jobs.values()]):
                done += drawn.result()
                if progress:
                    progress(done, len(shots))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _draw(root: Path, shots: list[tuple[str, Shot]], size: int) -> int:
    """Draw shots of one person; returns how many."""
    for name, shot in shots:
        drawn = _clip(shot.person, shot.aus, shot.sides, shot.frames, shot.onset, shot.apex, shot.offset, shot.fps, shot.seed)
        height, width = (round(size * side) for side in shot.shape)
        frames = np.asarray(drawn.render((height, width), margin=shot.margin, gray=shot.gray))
        for file, frame in zip(shot.files, frames, strict=True):
            _save(frame, f"{root}/{name}/{file}")
    return len(shots)


def _save(image: np.ndarray, path: str) -> None:
    """Write an image; JPEG with little loss, for micro-movements are fainter than its usual artefacts."""
    options = {"quality": 95, "subsampling": 0} if path.endswith(("jpg", "jpeg")) else {}
    Image.fromarray(image).save(path, **options)


def _write_sheets(folder: Path, layout: Layout) -> None:
    for path in layout.folders:
        (folder / path).mkdir(parents=True)
    for path, content in layout.sheets.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            file.write_text(content)
        elif file.suffix == ".csv":
            with open(file, "w", newline="") as stream:
                csv.writer(stream).writerows(content)
        else:
            file.write_bytes(_workbook(content if isinstance(content, dict) else {"Sheet1": content}))


def _workbook(sheets: Mapping[str, list[list[object]]]) -> bytes:
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


def _write_truth(path: Path, shots: list[tuple[str, Shot]]) -> None:
    with open(path, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["corpus", "file", "person", "seed", "fps", "frames", "first", "onset", "apex", "offset", "sides",
                       *(f"AU{au}" for au in UNITS)])  # fmt: skip
        for name, shot in shots:
            numbers = (shot.first + i for i in (0, shot.onset, shot.apex, shot.offset))
            rows.writerow([name, f"{name}/{shot.files[0]}", shot.person, shot.seed, shot.fps, shot.frames, *numbers,
                           " ".join(f"{side}{au}" for au, side in shot.sides.items()), *(shot.aus.get(au, 0) for au in UNITS)])  # fmt: skip
