"""DFEW (2020): all clips, those with a single label in five folds; face crops, or the original videos."""

from __future__ import annotations

import os

from .folders import Corpus, frames
from .samples import Collector, Reading, Video, loader
from .sheets import read_sheet

NAME = "DFEW"
NAMES = (NAME,)
EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
COLUMNS = {"video_name": ("video", "name"), "label": ()}
LABELS = ("EmoLabel_DataSplit/{}(single_labeled)", "EmoLabel_DataSplit/{}(single-labeled)", "{}(single_labeled)")


def read(root: str | os.PathLike) -> Reading:
    """DFEW under `root`; `split` is the number of the set that tests a clip. Clips in no set have neither emotion nor
    split. Nobody's identity is known: a clip is its own subject. Raises CorpusMissing, SheetError."""
    corpus = Corpus(root, NAMES, signs=("EmoLabel_DataSplit",), data=r"\d{1,5}")
    out = Collector(NAME, corpus.root, "all clips, single labels", notes=corpus.notes)
    framed = corpus.find("Clip/clip_224x224", "Clip/jpg_256", what="frames")
    videos = None if framed else corpus.find("Clip/original", what="videos", files=(".mp4",), flat=True)
    if not framed and not videos:
        raise corpus.missing("Clip/clip_224x224", "Clip/original")
    images = corpus.listing(framed or videos)
    labels = _labels(corpus, out)
    there = {os.path.splitext(name)[0] for name in (images.files(".mp4") if videos else images.directories())}
    unlabelled = {f"{int(name):05d}": (None, images.path(name), None, None) for name in there if name.isdecimal()}
    for name, (emotion, where, row, split) in (unlabelled | labels).items():
        on_disk = Video(images.path(f"{name}.mp4")) if videos else frames(images.path(name))
        if videos and not os.path.exists(on_disk.path):
            out.problem(where, row, f"no video {on_disk.path}", "restore it from the release", f"{NAME}/{name}")
            continue
        numbers = (0,) if videos else on_disk.numbers
        out.add(
            f"{NAME}/{name}",
            f"{NAME}/{name}",
            emotion=emotion,
            onset=next(iter(numbers), None),
            offset=None if videos or not numbers else numbers[-1],
            fps=float("nan"),
            frames=on_disk,
            split=split,
            where=where,
            row=row,
        )
    return out.reading()


def _labels(corpus: Corpus, out: Collector) -> dict[str, tuple[str, str, int, str | None]]:
    """clip → (emotion, sheet, row, testing set or None) from all sets of both sides."""
    labels: dict[str, tuple[str, str, int, str | None]] = {}
    for side in ("test", "train"):
        places = [place.format(side) for place in LABELS]
        how = {"holds": r"set_\d", "files": (".csv",), "flat": True, "anywhere": False}
        folder = corpus.listing(corpus.get(*places, what="set_1.csv … set_5.csv", **how))
        for name in [name for name in folder.files(".csv") if name.lower().startswith("set_")]:
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
