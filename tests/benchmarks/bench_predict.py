"""CPU time of a prediction of one clip, by part, in each package with the network of its paper (untrained).

The start is that of a process of its own: Python, its imports, the package. The clip is a folder of PNG images whose
apex is not given. Times are of the processor, over all threads: those of a wall clock depend on what else runs.
"""

import argparse
import cProfile
import importlib
import pstats
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from tiny import ROWS, paper_of

from shared.corpora.folders import list_frames
from shared.report.clips import sample_of
from shared.report.predict import Predictor
from shared.synthetic import Clip, Person
from shared.tasks import TASKS

PEOPLE = 25  # of whom mtmnet's network knows
MORE = {"skd_tstsan": lambda c: (c.domains,), "mtmnet": lambda c: (PEOPLE, c.magnify)}  # that a network is made of


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--frames", type=int, default=68)
    p.add_argument("--side", type=int, default=280)
    p.add_argument("--small", action="store_true", help="a small network, six small images: to see that it runs")
    args = p.parse_args(arguments)
    frames, side = (6, 64) if args.small else (args.frames, args.side)
    for package in list(ROWS)[3 if args.small else 0 : 4 if args.small else None]:
        row, tiny = ROWS[package]
        paper = paper_of(package)
        config = paper.base("paper", dict(change.split("=") for change in tiny.split() * args.small))
        ((table, _),) = paper.choose([row.partition("@")[0]])
        task = TASKS[table.columns[0].task]
        train = importlib.import_module(f"{package}.train")
        torch.manual_seed(0)
        net = train.network(config, len(task.outputs), *MORE.get(package, lambda c: ())(config))().eval()
        predictor = Predictor(paper, {Path(package): net}, [], task, config)
        start = seconds_of_children(f"import shared.report.predict, {package}.experiments")
        with TemporaryDirectory() as folder:
            clip = Clip(
                Person.draw(0), {}, frames=frames, onset=0, apex=frames // 2, offset=frames - 1, fps=200, seed=0
            )
            for n, image in enumerate(clip.render((side, side))):
                Image.fromarray(image).save(Path(folder) / f"{n}.png")
            wanted = {"clip": Path(folder), "where": "", "onset": None, "apex": None, "offset": None}
            for _ in range(2):  # the first one warms up
                with TemporaryDirectory() as cache:
                    profile = cProfile.Profile(time.process_time)
                    profile.enable()
                    sample = sample_of(wanted, list_frames(folder), 200.0, Path(cache))
                    predictor.scores(sample, Path(cache))
                    profile.disable()
        stats = pstats.Stats(profile)
        cumulative = {(Path(file).stem, function): times[3] for (file, _, function), times in stats.stats.items()}
        images, network = cumulative["frames", "_decode"], cumulative["train", "apply"]
        preparing = stats.total_tt - images - network
        print(
            f"{package:11} start {start:.2f} s, images {images:.2f} s, preparing {preparing:.2f} s, "
            f"network and maps {network:.2f} s; start to clip, ratio {start / stats.total_tt:.2f}"
        )


def seconds_of_children(code: str) -> float:
    """CPU seconds of a new Python that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
