"""Writes synthetic corpora in the layouts in which the real ones are released, sheets and their quirks included."""

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
import torch

from ..errors import UserError, pip_install, unknown
from ..files import MARKER, REMEDY, SIGN
from .labels import Display
from .layouts import LAYOUTS
from .layouts.common import Framing, Plan, Shot, Times
from .layouts.disk import link_placeholders, save, write_sheets
from .render.actions import AUS
from .render.anatomy import Person
from .render.clip import Clip

VERSION = 3
REGISTERED = 0.35  # sway of the head that is left in released crops, whose frames were registered to the first
NOISE = 0.7  # of laboratory cameras
TRUTH = "truth.csv"
COLUMNS = "corpus file person seed scene fps height width margin frames first onset apex offset blink sides"


def plan(corpus: str, scale: str | float = "full", *, seed: int = 0, edition: str | None = None) -> Plan:
    """Contents of a corpus's folder: at "smoke", "full" (the real corpus's counts) or a share of full in 0 … 1.

    Raises UserError for an unknown corpus, edition or scale.
    """
    edition = _edition(corpus, edition)
    scale = _known_scale(scale)
    return LAYOUTS[corpus].lay(scale == "smoke", 1.0 if isinstance(scale, str) else scale, seed, edition)


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
    """Write the corpora (all; MMI, which consists of films, only with PyAV) below `root`; returns it.

    `size` is the side of a face in pixels; `tight` crops also the corpora that are released with their background (by
    default at "smoke" only); without `pixels` each image is a placeholder; `progress(clips done, clips in all)`. A
    corpus that is there stays, another appears whole or not at all. Raises UserError where root holds anything but
    synthetic faces of the same settings, and as `plan`.
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
    if any(_is_film(name, edition) for name, edition in missing.items()) and not importlib.util.find_spec("av"):
        raise UserError(f"MMI and AFEW's edition 'avi' are films; to write them install PyAV: {pip_install('av')}")
    plans = {name: plan(name, scale, seed=seed, edition=edition) for name, edition in missing.items()}
    if tight:
        for corpus in plans.values():
            corpus.shots = [shot.cropped() for shot in corpus.shots]
    temporary = _temporary(root)
    try:
        for name, corpus in plans.items():
            write_sheets(temporary / name, corpus)
        shots = [(name, shot) for name, corpus in plans.items() for shot in corpus.shots]
        _make_folders(temporary, shots)
        if pixels:
            _draw_all(temporary, shots, size, workers, progress)
        else:
            link_placeholders(f"{temporary}/{name}/{file}" for name, shot in shots for file in shot.files)
        _write_truth(temporary / TRUTH, shots, size, root / TRUTH, there)
        for name in plans:
            (temporary / name / SIGN).write_text("Synthetic faces: drawn, of no real person.\n")
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
    """The truth of a root, one row per clip: person, seeds, true onset, apex and offset, peak intensity of each AU."""
    return pd.read_csv(Path(root) / TRUTH, keep_default_na=False, low_memory=False)


def clip(row: pd.Series) -> Clip:
    """The clip behind a row of `truth`, as it was drawn: intensities of each frame and dense motion."""
    onset, apex, offset = (int(row[moment] - row["first"]) for moment in ("onset", "apex", "offset"))
    aus = {au: row[f"AU{au}"] for au in AUS if row[f"AU{au}"] > 0}
    sides = {int(part[1:]): part[0] for part in row["sides"].split()}
    shot = Shot(
        row["file"],
        int(row["person"]),
        int(row["seed"]),
        Display(aus, sides),
        Times(int(row["frames"]), onset, apex, offset),
        float(row["fps"]),
        framing=Framing(margin=float(row["margin"])),
        scene=None if row["scene"] == "" else int(row["scene"]),
        blink=bool(row["blink"]),
    )
    return _clip(shot)


def _clip(shot: Shot) -> Clip:
    return Clip(
        Person.draw(shot.person),
        shot.display.aus,
        **shot.times._asdict(),
        fps=shot.fps,
        seed=shot.seed,
        sides=shot.display.sides,
        scene=shot.scene,
        blink=shot.blink,
        sway=1.0 if shot.framing.margin else REGISTERED,
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


def _is_film(corpus: str, edition: str) -> bool:
    return corpus == "MMI" or edition == "avi"


def _drawable() -> list[str]:
    """All corpora; where PyAV is missing, those that are not films."""
    films_too = importlib.util.find_spec("av")
    return [name for name in LAYOUTS if films_too or not _is_film(name, _edition(name, None))]


def _marker(settings: Mapping[str, object], editions: Mapping[str, str]) -> str:
    lines = ["Generated faces: drawn by this project, no real person. Not comparable with any paper's figures."]
    lines += [f"{key}: {value}" for key, value in settings.items()]
    return "\n".join([*lines, *(f"corpus: {name} {edition}" for name, edition in editions.items()), ""])


def _there(root: Path, settings: Mapping[str, object], editions: Mapping[str, str]) -> dict[str, str]:
    """The corpora in root and their editions: those that the marker names, as it is written first, and that are there.

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
        raise UserError(
            f"{root} holds other faces:\n{found}expected:\n{wanted}Give an empty folder, or remove that one."
        )
    return there


def _temporary(root: Path) -> Path:
    """A new folder beside root; those that dead processes of this machine left are removed."""
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
    """Draw every shot, a person at a time, over processes; each shot depends on its own seeds alone."""
    groups: dict[tuple[str, int, Framing], list[Shot]] = {}
    for name, shot in shots:
        groups.setdefault((name, shot.person, shot.framing), []).append(shot)
    calls = [(root / name, same_person, size) for (name, *_), same_person in groups.items()]
    workers = min(workers or os.cpu_count() or 1, len(calls))
    done = 0
    if workers <= 1:
        for call in calls:
            done += _draw(*call)
            if progress:
                progress(done, len(shots))
        return
    # Spawned, not forked: a fork of a process whose torch has run threads may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin) as pool:
        try:
            for drawn in as_completed([pool.submit(_draw, *call) for call in calls]):
                done += drawn.result()
                if progress:
                    progress(done, len(shots))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _begin() -> None:
    """Prepare a process that draws: one thread of torch, and an end when the process that started it is gone."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _draw(folder: Path, shots: list[Shot], size: int) -> int:
    """Draw shots of one person; returns how many."""
    for shot in shots:
        frames = _clip(shot).render(_shape(shot, size), margin=shot.framing.margin, gray=shot.gray)
        save(frames, [f"{folder}/{file}" for file in shot.files], shot.fps)
    return len(shots)


def _shape(shot: Shot, size: int) -> tuple[int, int]:
    """Height and width in pixels."""
    return round(size * shot.framing.height), round(size * shot.framing.width)


def _write_truth(path: Path, shots: list[tuple[str, Shot]], size: int, old: Path, kept: Collection[str]) -> None:
    """The rows of these shots, after those of the corpora `kept` from the `old` file."""
    with open(path, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow([*COLUMNS.split(), *(f"AU{au}" for au in AUS)])
        if kept:
            with open(old, newline="") as before:
                rows.writerows(row for row in csv.reader(before) if row[0] in kept)
        for name, shot in shots:
            frames, *moments = shot.times
            numbers = [shot.first + i for i in (0, *moments)]
            sides = " ".join(f"{side}{au}" for au, side in shot.display.sides.items())
            row = [name, f"{name}/{shot.files[0]}", shot.person, shot.seed, shot.scene, shot.fps, *_shape(shot, size)]
            row += [shot.framing.margin, frames, *numbers, int(shot.blink), sides]
            rows.writerow(row + [shot.display.aus.get(au, 0) for au in AUS])
