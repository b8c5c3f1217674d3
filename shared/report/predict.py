"""`python -m PAPER predict RECORD …`: a trained network's prediction for your own clip, as text, JSON and a picture."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from matplotlib import pyplot as plt

from ..corpora.folders import list_frames
from ..corpora.samples import Frames, Reading, Video, out_of_order
from ..corpora.sheets import as_int
from ..errors import UserError, log
from ..files import check_writable, replacing, write_text
from ..pixels.apex import with_apex
from ..pixels.images import Box, read
from ..pixels.videos import decoded
from ..runs.paper import Paper
from ..runs.weights import load_network, weights_of_a_run
from ..tasks import TASKS
from .figures import grid, image, overlay

SHOWN = 224  # pixels of a face in the picture
MOMENTS = ("onset", "apex", "offset")
MADE_BY = ("fold", "seed", "epoch", "scale", "generated", "shuffled")


def predict(paper: Paper, args: argparse.Namespace) -> int:
    """Apply a trained network to a clip, print its scores, write them and a picture. Returns the exit code."""
    check_writable(args.out)
    weights = Path(f"{os.path.splitext(args.record)[0]}.safetensors")
    net, about = load_network(weights, paper.name)
    with TemporaryDirectory() as cache:
        sample = clip(args, Path(cache))
        with weights_of_a_run(weights):
            if "needs" in about:
                raise ValueError("it is of a pre-training, which torch.hub and shared.hub load, and predicts nothing")
            task, made_by = TASKS[about["task"]], {k: about[k] for k in MADE_BY}
            if about["labels"] != task.outputs:
                raise ValueError(f"its labels are {about['labels']}, those of {task.name} are {task.outputs}")
            config = paper.config(**{k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()})
        data = paper.load(sample, config, Path(cache))
        if data.problems:
            raise UserError("\n".join(map(str, data.problems)))
        with weights_of_a_run(weights):
            scores, maps = (values[0] for values in paper.apply(net, data, config))
            if not scores.isfinite().all():
                raise ValueError(f"its scores of this clip are not finite numbers: {scores.tolist()}")
            score_of: dict[str, float] = dict(zip(task.outputs, scores.tolist(), strict=True))
        best, units = max(score_of, key=lambda label: score_of[label]), task.aus
        found = [label for label, score in score_of.items() if score > 0.5] if units else [best]
        heat = dict(zip(score_of, maps, strict=True)) if units else {best: maps[0]}
        files = [sample["frames"][0].path(sample[moment][0]) for moment in ("onset", "apex")]
        titles = {f"{label} {score_of[label]:.2f}": heat[label] for label in found or [best]}
        picture(files, args.box and tuple(args.box), titles, args.out / "prediction.png")
    result = {
        "package": paper.name,
        "task": about["task"],
        "labels": found,
        "scores": score_of,
        **{moment: int(sample[moment][0]) if args.clip else getattr(args, moment) for moment in MOMENTS},
        "weights": {"file": str(weights), **made_by},
    }
    write_text(args.out / "prediction.json", json.dumps(result, indent=1, allow_nan=False))
    for label, score in score_of.items():
        print(f"{label.ljust(max(map(len, score_of)))}  {score:.4f}{'  <-' if label in found else ''}")
    if made_by["generated"] or made_by["scale"] == "smoke" or made_by["shuffled"]:
        why = "trained on synthetic faces, at smoke scale or on shuffled labels"
        print(f"*** weights of a rehearsal ({why}): this prediction says nothing about real faces ***")
    print(f"written: {args.out / 'prediction.json'}, {args.out / 'prediction.png'}")
    return 0


def clip(args: argparse.Namespace, cache: Path) -> pd.DataFrame:
    """The clip as a table of one sample; its apex is spotted where none is given. Raises UserError for a mistake."""
    row: dict[str, Any] = {"sample": "your clip", "corpus": "", "subject": "you", "fps": args.fps}
    if args.clip is None:
        if args.onset is None or args.apex is None:
            raise UserError("give --clip with a folder or a video, or images with --onset and --apex")
        if args.offset is None:
            log("no --offset: using the apex image")
        files = (args.onset, args.apex, args.offset or args.apex)
        for file in files:
            if not Path(file).is_file():
                raise UserError(f"{file} is not an image file; frame numbers need --clip")
        row |= {"frames": Frames("", files, (0, 1, 2)), "onset": 0, "apex": 1, "offset": 2}
    else:
        if not args.clip.exists():
            raise UserError(f"{args.clip} does not exist: --clip takes a folder of images or a video")
        numbers = {}
        for moment in MOMENTS:
            text = getattr(args, moment)
            numbers[moment] = as_int(text)
            if text is not None and numbers[moment] is None:
                raise UserError(f"--{moment} {text}: expected a frame number, because --clip is given")
        source = list_frames(str(args.clip)) if args.clip.is_dir() else Video(str(args.clip))
        table = pd.DataFrame([{**row, **numbers, "frames": source}])
        reading = decoded(Reading("your clip", str(args.clip), "", table), cache)
        if reading.problems:
            raise UserError(str(reading.problems[0]))
        source = reading.samples["frames"][0]
        if len(source) < 2:
            raise UserError(f"{args.clip} holds {len(source)} numbered images; a clip needs at least two")
        ends = {"onset": source.numbers[0], "offset": source.numbers[-1]}
        row |= {"frames": source, **{m: ends.get(m) if n is None else n for m, n in numbers.items()}}
        for number in numbers.values():
            if number is not None:
                source.path(number)  # raises FrameMissing
        if faults := out_of_order(*(row[moment] for moment in MOMENTS)):
            raise UserError(f"{args.clip}: {faults[0][0]}; give them in their order")
    if args.box:
        files = row["frames"]
        row["frames"] = Frames(files.folder, files.names, files.numbers, tuple(args.box))
    try:
        samples, problems = with_apex(pd.DataFrame([row]), cache)
    except ValueError as error:  # few frequencies are left at a high frame rate
        raise UserError(f"no apex can be found in {args.clip} at {args.fps:g} fps: {error}, or --apex") from error
    if problems:
        raise UserError(str(problems[0]))
    if args.clip and args.apex is None:
        log(f"apex spotted: frame {samples['apex'][0]}")
    return samples


def picture(files: Sequence[str], box: Box | None, heat: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a picture: onset, apex, and for each title the apex under a map (h, w)."""
    onset, apex = (read(file, SHOWN, box=box) for file in files)
    plot, (axes,) = grid(1, 2 + len(heat), width=2.2, height=2.5)
    for axis, title in zip(axes, ("onset", "apex", *heat), strict=True):
        image(axis, onset if title == "onset" else apex, title)
        if title in heat:
            overlay(axis, heat[title].clamp_min(0).numpy(), SHOWN)
    with replacing(path) as temporary:
        plot.savefig(temporary, format="png", dpi=130)
    plt.close(plot)
