"""`python -m PAPER predict RECORD …`: what trained networks say of your own clips, as text, CSV, JSON and pictures."""

import argparse
import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..corpora.samples import Frames
from ..errors import UserError, log
from ..files import check_writable, read_json, replacing, write_text
from ..pixels.images import read
from ..runs.paper import AnyPaper
from ..runs.weights import load_network, named_weights, weights_of_a_run
from ..tasks import TASKS, Task
from .clips import MOMENTS, SIDES, Asked, asked, frames_of, sample_of
from .figures import grid, image, overlay

SHOWN = 224  # pixels of a face in the picture
MADE_BY = ("fold", "seed", "epoch", "scale", "generated", "shuffled")
FAULTS = (UserError, OSError)  # of a clip, that leave the others as they are
Scored = tuple[pd.Series, Tensor, Tensor]  # a clip's row of the sample table, its scores (K,) and its maps


@dataclass(frozen=True)
class Predictor:
    """Networks of one task and one configuration, whose scores are averaged."""

    paper: AnyPaper
    networks: Mapping[Path, nn.Module]  # by their files
    origin: Sequence[Mapping[str, Any]]  # the file of each, and what made it
    task: Task
    config: Any

    @classmethod
    def of(cls, paper: AnyPaper, files: Sequence[Path]) -> "Predictor":
        """Load the networks. Raises UserError for those that predict nothing, or not the same."""
        networks, origin, common = {}, [], None
        for path in files:
            networks[path], about = load_network(path, paper.name)
            if "needs" in about:
                raise UserError(
                    f"{path} is of a pre-training, which torch.hub and shared.hub load, and predicts nothing"
                )
            with weights_of_a_run(path):
                task = TASKS[about["task"]]
                origin.append({"file": str(path), **{key: about[key] for key in MADE_BY}})
                if about["labels"] != task.outputs:
                    raise ValueError(f"its labels are {about['labels']}, those of {task.name} are {task.outputs}")
                made = task, paper.recorded(about["config"])
            if (common := common or made) != made:
                raise UserError(f"{path} has another task or other settings than {files[0]}: they are not averaged")
        assert common
        return cls(paper, networks, origin, *common)

    def scores(self, sample: pd.DataFrame, cache: Path) -> Scored:
        """The scores of a clip, and its maps: (K, h, w) for action units, of the best class alone (1, h, w)."""
        try:
            data = self.paper.load(sample, self.config, cache)
        except ValueError as error:
            raise UserError(f"the clip cannot be prepared: {error}") from error
        if data.problems:
            raise UserError("\n".join(map(str, data.problems)))
        each: list[tuple[Tensor, Tensor]] = []
        for path, net in self.networks.items():
            with weights_of_a_run(path):
                scores, maps = (values[0].detach() for values in self.paper.apply(net, data, self.config))
                if not scores.isfinite().all():
                    raise ValueError(f"its scores of this clip are not finite numbers: {scores.tolist()}")
                each.append((scores, maps))
        mean = torch.stack([scores for scores, _ in each]).mean(dim=0)
        agree = [maps for scores, maps in each if self.task.aus or scores.argmax() == mean.argmax()]
        maps = torch.stack(agree).mean(dim=0) if agree else torch.zeros_like(each[0][1])
        return sample.iloc[0], mean, maps

    def found(self, scores: Tensor) -> list[str]:
        """The best class, or the action units that are more likely present than not."""
        chosen = scores > 0.5 if self.task.aus else scores == scores.max()
        found = [label for label, is_it in zip(self.task.outputs, chosen, strict=True) if is_it]
        return found if self.task.aus else found[:1]

    def each(self, wanted: Iterable[Asked], window: int | None, step: int | None) -> Iterator[tuple[Asked, Any]]:
        """Each clip, or each window of a clip, with what is Scored, or with the error that it ended in.

        One clip is held at a time: a list may be larger than memory and disk.
        """
        for clip in wanted:
            with TemporaryDirectory() as folder:
                try:
                    frames, fps = frames_of(clip, Path(folder))
                except FAULTS as error:
                    yield clip, error
                    continue
                for part in windows(clip, frames, window, step) if window else [clip]:
                    with TemporaryDirectory(dir=folder) as cache:
                        result: Scored | Exception
                        try:
                            result = self.scores(sample_of(part, frames, fps, Path(cache)), Path(cache))
                        except FAULTS as error:
                            result = error
                        yield part, result


def windows(clip: Asked, frames: Frames, length: int, step: int | None) -> Iterator[Asked]:
    """Windows of `length` frames, one each `step` (default: half a window); the last one ends with the clip.

    Raises UserError for a clip that is shorter."""
    if (last := len(frames) - length) < 0:
        raise UserError(f"--window {length}: {clip['clip']} has {len(frames)} frames")
    for start in (*range(0, last, step or length // 2), last):
        held = frames.numbers[start : start + length]
        yield {**clip, "onset": held[0], "apex": None, "offset": held[-1]}


def files_of(record: Path, ensemble: bool) -> list[Path]:
    """The weights that a user names, with `ensemble` all beside them. Raises UserError where there are no others."""
    weights = named_weights(record)
    if not ensemble:
        return [weights]
    if len(found := sorted(weights.parent.glob("*.safetensors"))) < 2:
        raise UserError(f"--ensemble averages the networks of all folds: {weights.parent} holds {len(found)}")
    record = weights.with_suffix(".json")
    folds = f" of {read_json(record)['folds']}" if record.exists() else ""
    log(f"--ensemble: the scores are means over {len(found)}{folds} networks")
    return found


def predict(paper: AnyPaper, args: argparse.Namespace) -> int:
    """Apply trained networks to clips, one after the other; write what they say once all are done.

    Returns the exit code: 1 if some clips could not be scored. Raises UserError if none could.
    """
    check_writable(args.out)
    predictor = Predictor.of(paper, files_of(args.record, args.ensemble))
    wanted = asked(args)
    first = list(islice(wanted, 2))
    refuse_options(args, first)
    alone = len(first) == 1 and not args.window
    kind = "windows" if args.window else "clips"
    failed, spotted, timeline = 0, 0, dict[float, list[float]]()
    with TemporaryDirectory() as folder, open(Path(folder) / "table", "w", -1, "utf-8", "surrogateescape", "") as table:
        lines, count = csv.writer(table), 0
        lines.writerow(["clip", *MOMENTS, "fps", *SIDES, "labels", *(f"score {o}" for o in predictor.task.outputs)])
        results = predictor.each(chain(first, wanted), args.window, args.step)
        for part, result in tqdm(results, "clips", unit="clip", disable=alone or None, leave=False):
            if isinstance(result, Exception):
                if alone:
                    raise result
                failed += 1
                span = f", {part['onset']} to {part['offset']}" if args.window else ""
                log(f"not scored: {part['clip']}{span}: {result}")
                continue
            row, scores, maps = result
            count += 1
            moments = {moment: int(row[moment]) if part["clip"] else part[moment] for moment in MOMENTS}
            found, box = "+".join(predictor.found(scores)), row["frames"].box or [""] * 4
            name = os.path.abspath(part["clip"]) if part["clip"] else row["sample"]  # so that the table can be moved
            lines.writerow([name, *moments.values(), f"{row['fps']:g}", *box, found, *scores.tolist()])
            if args.window:
                timeline[(row["onset"] + row["offset"]) / 2] = scores.tolist()
            if part["clip"] and part.get("apex") is None:
                spotted += 1
                if alone:
                    log(f"apex spotted: frame {moments['apex']}")
            if alone:
                show(predictor, row, moments, scores, maps, args.out)
        table.flush()
        if not count:
            raise UserError(f"none of {failed} {kind} could be scored, see above")
        with replacing(args.out / "predictions.csv") as path:
            shutil.copyfile(table.name, path)
    pictures = ["prediction.json", "prediction.png"] if alone else []
    if timeline:
        pictures = ["predictions.png"]
        draw_timeline(timeline, predictor.task, args.out / "predictions.png")
    for name in {"prediction.json", "prediction.png", "predictions.png"}.difference(pictures):
        (args.out / name).unlink(missing_ok=True)  # of another call
    if any(made["generated"] or made["scale"] == "smoke" or made["shuffled"] for made in predictor.origin):
        why = "trained on synthetic faces, at smoke scale or on shuffled labels"
        print(f"*** weights of a rehearsal ({why}): this prediction says nothing about real faces ***")
    print(f"written: {', '.join(str(args.out / name) for name in ('predictions.csv', *pictures))}")
    if not alone:
        print(f"{count} {kind} scored, {failed} not; apex spotted in {spotted}")
    return 1 if failed else 0


def refuse_options(args: argparse.Namespace, first: Sequence[Asked]) -> None:
    """Raises UserError where there is no clip, and for options that do not go with the `first` two."""
    if not first:
        raise UserError(f"no clip in {', '.join(map(str, args.clip))}")
    if args.window and (len(first) > 1 or any(first[0].get(moment) is not None for moment in MOMENTS)):
        raise UserError("--window is for one clip, from its first to its last frame")
    if args.step and not args.window:
        raise UserError("--step is the step from one window to the next: give --window, too")
    if args.fps and first[0]["clip"] is None:
        raise UserError("--fps is the frame rate of a clip, and two images have none: leave it out")


def show(
    predictor: Predictor, row: pd.Series, moments: Mapping[str, Any], scores: Tensor, maps: Tensor, out: Path
) -> None:
    """Print the scores of a clip; write them as JSON, and a picture: onset, apex, and maps of what was found on it."""
    task, found = predictor.task, predictor.found(scores)
    score_of = dict(zip(task.outputs, scores.tolist(), strict=True))
    best = max(score_of, key=lambda label: score_of[label])
    heat = dict(zip(score_of, maps, strict=True)) if task.aus else {best: maps[0]}
    onset, apex = (read(row["frames"].path(row[m]), SHOWN, box=row["frames"].box) for m in MOMENTS[:2])
    shown = found or [best]
    plot, (axes,) = grid(1, 2 + len(shown), width=2.2, height=2.5)
    image(axes[0], onset, "onset")
    image(axes[1], apex, "apex")
    for axis, label in zip(axes[2:], shown, strict=True):
        image(axis, apex, f"{label} {score_of[label]:.2f}")
        overlay(axis, heat[label].clamp_min(0).numpy(), SHOWN)
    with replacing(out / "prediction.png") as temporary:
        plot.savefig(temporary, format="png", dpi=130)
    result = {"package": predictor.paper.name, "task": task.name, "labels": found, "scores": score_of, **moments}
    result |= {"box": row["frames"].box, "weights": predictor.origin}
    write_text(out / "prediction.json", json.dumps(result, indent=1, allow_nan=False))
    for label, score in score_of.items():
        print(f"{label.ljust(max(map(len, score_of)))}  {score:.4f}{'  <-' if label in found else ''}")


def draw_timeline(timeline: Mapping[float, Sequence[float]], task: Task, path: Path) -> None:
    """Write a picture of the scores of windows, by the frame in their middle."""
    plot, ((axis,),) = grid(1, 1, width=9, height=3)
    for label, line in zip(task.outputs, zip(*timeline.values(), strict=True), strict=True):
        axis.plot(list(timeline), line, marker=".", label=label)
    axis.set(xlabel="frame in the middle of the window", ylabel="score", ylim=(0, 1))
    plot.legend(loc="outside right upper", fontsize=7)
    with replacing(path) as temporary:
        plot.savefig(temporary, format="png", dpi=130)
