"""Writes generated corpora in the layouts in which the real ones are released, sheets and their quirks included."""

import csv
import importlib.util
import multiprocessing
import os
import shutil
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from ..errors import UserError, unknown
from ..files import MARKER, REMEDY
from .layouts import LAYOUTS
from .layouts.common import Layout, Shot
from .layouts.disk import place, save, write_sheets

VERSION = 3
REGISTERED = 0.35  # sway of the head that is left in released crops, whose frames were registered to the first
NOISE = 0.7  # of laboratory cameras
TRUTH = "truth.csv"
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 43)


def plan(corpus: str, scale: str | float = "full", *, seed: int = 0, edition: str | None = None) -> Layout:
    """What a corpus's folder will hold: at "smoke", "full" (the real corpus's counts) or a share of full in 0 … 1.

    Raises UserError for an unknown corpus, edition or scale.
    """
    edition = _edition(corpus, edition)
    return LAYOUTS[corpus].lay(_known_scale(scale), seed, edition)


def write(
    root: str | os.PathLike,
    corpora: Iterable[str] | None = None,
    *,
    scale: str | float = "smoke",
    size: int = 128,
    seed: int = 0,
    editions: Mapping[str, str] | None = None,
    tight: bool | None = None,
    pixels: bool = True,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the corpora (all; MMI, films, only with PyAV) below `root`; returns it.

    `size` is the side of a face in pixels; `tight` crops the corpora that are released with their background, too
    (by default at "smoke" only); without `pixels` each image is one placeholder; `progress(clips done, clips in all)`.
    A corpus that is there already stays, another appears whole or not at all. Raises UserError where root holds
    anything but faces of the same settings, and as `plan`.
    """
    root, names = Path(root), _drawable() if corpora is None else list(corpora)
    scale = _known_scale(scale)
    tight = scale == "smoke" if tight is None else tight
    editions = {name: _edition(name, (editions or {}).get(name)) for name in names}
    settings = {"version": VERSION, "scale": scale, "size": size, "seed": seed, "tight": tight, "pixels": pixels}
    there = _there(root, settings, editions)
    missing = {name: edition for name, edition in editions.items() if name not in there}
    if not missing:
        return root
    if any(_films(*corpus) for corpus in missing.items()) and not importlib.util.find_spec("av"):
        raise UserError("MMI and AFEW's edition 'avi' are films; to write them install PyAV: pip install av")
    plans = {name: plan(name, scale, seed=seed, edition=edition) for name, edition in missing.items()}
    if tight:
        for layout in plans.values():
            layout.shots = [shot.cropped() for shot in layout.shots]
    temporary = _temporary(root)
    try:
        for name, layout in plans.items():
            write_sheets(temporary / name, layout)
        shots = [(name, shot) for name, layout in plans.items() for shot in layout.shots]
        _make_folders(temporary, shots)
        if pixels:
            _draw_all(temporary, shots, size, workers, progress)
        else:
            place(f"{temporary}/{name}/{file}" for name, shot in shots for file in shot.files)
        _write_truth(temporary / TRUTH, shots, size, root / TRUTH, there)
        (temporary / MARKER).write_text(_marker(settings, there | missing))
        root.mkdir(exist_ok=True)
        for name in (MARKER, TRUTH, *missing):  # the marker before the folders that it names: see _there
            os.replace(temporary / name, root / name)
    except OSError as error:
        raise UserError(f"cannot write faces in {root}: {error.strerror or error}; {REMEDY}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return root


def truth(root: str | os.PathLike) -> pd.DataFrame:
    """The truth of a generated root, one row a clip: who, seeds, true onset, apex and offset, the peak of each AU."""
    return pd.read_csv(Path(root) / TRUTH, keep_default_na=False, low_memory=False)


def clip(row: Mapping[str, object]):
    """The `Clip` behind a row of `truth`: intensities of each frame and dense motion, as it was drawn."""
    first, scene = int(row["first"]), row["scene"]
    return _clip(
        Shot(
            row["file"],
            int(row["person"]),
            int(row["seed"]),
            {au: row[f"AU{au}"] for au in UNITS if row[f"AU{au}"] > 0},
            {int(part[1:]): part[0] for part in row["sides"].split()},
            float(row["fps"]),
            int(row["frames"]),
            *(int(row[moment]) - first for moment in ("onset", "apex", "offset")),
            margin=float(row["margin"]),
            scene=None if scene == "" else int(scene),
            blink=bool(row["blink"]),
        )
    )


def _clip(shot: Shot):
    from . import Clip, Person

    return Clip(
        Person.draw(shot.person),
        shot.aus,
        frames=shot.frames,
        onset=shot.onset,
        apex=shot.apex,
        offset=shot.offset,
        fps=shot.fps,
        seed=shot.seed,
        sides=shot.sides,
        scene=shot.scene,
        blink=shot.blink,
        sway=1.0 if shot.margin else REGISTERED,
        noise=NOISE,
    )


def _edition(corpus: str, edition: str | None) -> str:
    """The edition asked for, or the corpus's first."""
    if corpus not in LAYOUTS:
        raise unknown("corpus", corpus, LAYOUTS)
    editions = LAYOUTS[corpus].EDITIONS
    if edition is not None and edition not in editions:
        raise unknown(f"edition of {corpus}", edition, editions)
    return edition or next(iter(editions))


def _known_scale(scale: str | float) -> str | float:
    if scale not in ("smoke", "full") and not (isinstance(scale, int | float) and 0 < scale <= 1):
        raise UserError(f"scale is 'smoke', 'full' or a share above 0 and up to 1, not {scale!r}")
    return "full" if scale == 1 else scale


def _films(corpus: str, edition: str) -> bool:
    return corpus == "MMI" or edition == "avi"


def _drawable() -> list[str]:
    """All corpora, without those that are films where nothing can write films."""
    films_too = importlib.util.find_spec("av")
    return [name for name in LAYOUTS if films_too or not _films(name, _edition(name, None))]


def _marker(settings: Mapping[str, object], editions: Mapping[str, str]) -> str:
    lines = ["Generated faces: drawn by this project, no real person. Not comparable with any paper's figures."]
    lines += [f"{key}: {value}" for key, value in settings.items()]
    return "\n".join([*lines, *(f"corpus: {name} {edition}" for name, edition in editions.items()), ""])


def _there(root: Path, settings: Mapping[str, object], editions: Mapping[str, str]) -> dict[str, str]:
    """The corpora in root and their editions; the marker names them before they are moved there, so both are looked at.

    Raises UserError where root holds something else, or faces of other settings or editions.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return {}
    if not (root / MARKER).is_file():
        raise UserError(f"{root} holds something, and no {MARKER}: give an empty folder")
    found = (root / MARKER).read_text()
    named = dict(line.split(" ")[1:] for line in found.splitlines() if line.startswith("corpus: "))
    there = {name: edition for name, edition in named.items() if (root / name).is_dir()}
    same = all(there.get(name, edition) == edition for name, edition in editions.items())
    if found != _marker(settings, named) or not same:
        wanted = _marker(settings, editions)
        raise UserError(f"{root} holds other faces:\n{found}wanted:\n{wanted}Give an empty folder, or remove that one.")
    return there


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


def _draw_all(
    root: Path,
    shots: list[tuple[str, Shot]],
    size: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Draw every shot, a person at a time, over processes; each shot hangs on its own seeds alone."""
    jobs: dict[tuple, list[tuple[str, Shot]]] = {}
    for name, shot in shots:
        jobs.setdefault((name, shot.person, shot.shape, shot.margin), []).append((name, shot))
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    done = 0
    if workers <= 1:
        for job in jobs.values():
            done += _draw(root, job, size)
            if progress:
                progress(done, len(shots))
        return
    # Spawned, not forked: a fork of a process whose torch has run threads may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin) as pool:
        try:
            for drawn in as_completed([pool.submit(_draw, root, job, size) for job in jobs.values()]):
                done += drawn.result()
                if progress:
                    progress(done, len(shots))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _begin() -> None:
    """In a process that draws: one thread of torch, and an end when the process that started it is gone."""
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=lambda: multiprocessing.parent_process().join() or os._exit(1), daemon=True).start()


def _draw(root: Path, shots: list[tuple[str, Shot]], size: int) -> int:
    """Draw shots of one person; returns how many."""
    for name, shot in shots:
        frames = _clip(shot).render(_size(shot, size), margin=shot.margin, gray=shot.gray)
        save(frames, [f"{root}/{name}/{file}" for file in shot.files], shot.fps)
    return len(shots)


def _size(shot: Shot, size: int) -> tuple[int, int]:
    height, width = shot.shape
    return round(size * height), round(size * width)


def _write_truth(path: Path, shots: list[tuple[str, Shot]], size: int, old: Path, kept: Collection[str]) -> None:
    """The rows of these shots, after those of the corpora `kept` from the `old` file."""
    with open(path, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(
            [
                "corpus",
                "file",
                "person",
                "seed",
                "scene",
                "fps",
                "height",
                "width",
                "margin",
                "frames",
                "first",
                "onset",
                "apex",
                "offset",
                "blink",
                "sides",
                *(f"AU{au}" for au in UNITS),
            ]
        )
        if kept:
            with open(old, newline="") as before:
                rows.writerows(row for row in csv.reader(before) if row[0] in kept)
        for name, shot in shots:
            numbers = (shot.first + i for i in (0, shot.onset, shot.apex, shot.offset))
            sides = " ".join(f"{side}{au}" for au, side in shot.sides.items())
            rows.writerow(
                [
                    name,
                    f"{name}/{shot.files[0]}",
                    shot.person,
                    shot.seed,
                    shot.scene,
                    shot.fps,
                    *_size(shot, size),
                    shot.margin,
                    shot.frames,
                    *numbers,
                    int(shot.blink),
                    sides,
                    *(shot.aus.get(au, 0) for au in UNITS),
                ]
            )
