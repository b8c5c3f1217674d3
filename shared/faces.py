"""Synthetic faces for the command line: the corpora that a run is missing, or a folder of them."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from .errors import log
from .files import locked
from .synthetic.layouts import LAYOUTS
from .synthetic.write import truth, write


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar of clips, as the function (done, total) that `write` calls."""
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds between updates, each of which is a line in a log
    with tqdm(desc="drawing faces", unit="clip", mininterval=pause, maxinterval=pause) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def draw_missing(root: Path, corpora: Iterable[str], scale: str = "smoke") -> None:
    """Draw those of the corpora that are not in the folder yet; other processes wait meanwhile."""
    wanted = set(corpora)
    with locked(root.with_name(".faces.lock")):
        if missing := [name for name in LAYOUTS if name in wanted and not (root / name).exists()]:
            log(f"no --data and no $MER_DATA: drawing faces in the layouts of {', '.join(missing)} into {root}")
            with progress_bar() as progress:
                write(root, missing, scale=scale, tight=True, progress=progress)


def write_faces(args: argparse.Namespace) -> int:
    """Draw the corpora that the command `faces` asks for, and print how much was drawn."""
    clock = time.monotonic()
    scale = "full" if args.full else "smoke"
    with progress_bar() as progress:
        write(
            args.folder,
            args.corpora,
            scale=scale,
            size=args.size,
            seed=args.seed,
            pixels=not args.no_pixels,
            progress=progress,
        )
    drawn = truth(args.folder)
    for corpus, clips in drawn.groupby("corpus", sort=False):
        print(f"{corpus}: {len(clips)} clips of {clips['person'].nunique()} people, {clips['frames'].sum()} frames")
    stats = [file.stat() for file in args.folder.rglob("*") if file.is_file()]
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}  # a file under several names counts once
    print(
        f"{args.folder} holds synthetic faces, drawn, not recorded: {len(drawn)} clips, {drawn['frames'].sum()} "
        f"frames, {sum(sizes.values()) / 2**30:.2f} GiB; {time.monotonic() - clock:.0f} s"
    )
    return 0
