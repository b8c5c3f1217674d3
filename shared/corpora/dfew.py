"""DFEW (2020): all clips, those with a single label in five folds; face crops, or the original videos."""

from __future__ import annotations

import os

from .folders import Listing, find_corpus, frames, inside
from .sheets import read_sheet
from .table import Collector, Reading, SheetError, Video, loader

NAME = "DFEW"
EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
COLUMNS = {"video_name": ("video", "name"), "label": ()}
LABELS = {
    side: tuple(f"EmoLabel_DataSplit/{side}({spelling})" for spelling in ("single_labeled", "single-labeled"))
    for side in ("train", "test")
}


def read(root: str | os.PathLike) -> Reading:
    """DFEW under `root`; `split` is the number of the set that tests a clip. Clips in no set have neither emotion nor
    split. Nobody's identity is known: a clip is its own subject. Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME,), ("EmoLabel_DataSplit",))
    out = Collector(NAME, root, "all clips, single labels")
    images = Listing(inside(root, "Clip/clip_224x224", "Clip/original"))
    videos = os.path.basename(images.folder).lower() == "original"
    labels = _labels(root, out)
    there = {os.path.splitext(name)[0] for name in (images.files(".mp4") if videos else images.directories())}
    unlabelled = {f"{int(name):05d}": (None, images.path(name), None, None) for name in there if name.isdecimal()}
    for name, (emotion, where, row, split) in (unlabelled | labels).items():
        on_disk = Video(images.path(f"{name}.mp4")) if videos else frames(images.path(name))
        if videos and not os.path.exists(on_disk.path):
            out.problem(where, row, f"no video {on_disk.path}", "restore it from the release", f"{NAME}/{name}")
            continue
        numbers = (0,) if videos else on_disk.numbers
        out.add(
            f"{NAME}/{name}", f"{NAME}/{name}", emotion=emotion, onset=next(iter(numbers), None),
            offset=None if videos or not numbers else numbers[-1], fps=float("nan"), frames=on_disk, split=split,
            where=where, row=row,
        )
    return out.reading()


def _labels(root: str, out: Collector) -> dict[str, tuple[str, str, int, str | None]]:
    """clip → (emotion, sheet, row, testing set or None) from all sets of both sides."""
    labels: dict[str, tuple[str, str, int, str | None]] = {}
    for side in ("test", "train"):
        folder = Listing(inside(root, *LABELS[side]))
        names = [name for name in folder.files(".csv") if name.lower().startswith("set_")]
        if not names:
            raise SheetError(f"{folder.folder}: no set_1.csv … set_5.csv; copy them there from the release")
        for name in names:
            sheet = read_sheet(folder.path(name), COLUMNS)
            number, seen = name[4:-4], set()
            for row in sheet.rows:
                clip, label = f"{row.whole('video_name', 'a number'):05d}", row.whole("label", "1 to 7")
                if label not in range(1, 8) and not row.faults:
                    row.faults.append((f"column 'label' holds {label}, expected 1 to 7", "correct the sheet"))
                if out.faulty(row, sheet.path, f"{NAME}/{clip}"):
                    continue
                emotion, split = EMOTIONS[label - 1], number if side == "test" else None
                known = labels.setdefault(clip, (emotion, sheet.path, row.number, split))
                if clip in seen:
                    what = f"{clip} is listed twice"
                elif known[0] != emotion:
                    what = f"{clip} is {emotion} here and {known[0]} in {known[1]}, row {known[2]}"
                elif split and known[3] != split:
                    what = f"{clip} is tested in set {known[3]} too"
                else:
                    what = None
                seen.add(clip)
                if what:
                    out.problem(sheet.path, row.number, what, "restore the split from the release", f"{NAME}/{clip}")
    return labels


load = loader(read)
