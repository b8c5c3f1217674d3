"""DFEW (2020): all clips, those with a single label in five folds; face crops, or the original videos."""

import os
from typing import NamedTuple

from .folders import CorpusFolder, Root, list_frames
from .samples import Collector, Reading, Video
from .sheets import read_sheet

NAME = "DFEW"
EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
COLUMNS = {"video_name": ("video", "name"), "label": ()}
LABELS = ("EmoLabel_DataSplit/{}(single_labeled)", "EmoLabel_DataSplit/{}(single-labeled)", "{}(single_labeled)")


class Label(NamedTuple):
    """A clip's emotion, the sheet and row that give it, and the set that tests the clip."""

    emotion: str | None = None
    where: str = ""
    row: int | None = None
    split: str | None = None


def read(root: Root) -> Reading:
    """DFEW under `root`; `split` is the number of the set that tests a clip. Clips in no set have neither emotion nor
    split. Nobody's identity is known: a clip is its own subject. Raises CorpusMissing, SheetError."""
    corpus = CorpusFolder(root, NAME, signs=("EmoLabel_DataSplit",), data=r"\d{1,5}")
    out = Collector(corpus, "all clips, single labels")
    crops = corpus.find("Clip/clip_224x224", "Clip/jpg_256", what="frames")
    clips = crops or corpus.find("Clip/original", what="videos", files=(".mp4",), flat=True)
    if not clips:
        raise corpus.missing("Clip/clip_224x224", "Clip/original")
    listing = clips.listing()
    labels = _labels(corpus, out)
    names = listing.directories() if crops else [os.path.splitext(name)[0] for name in listing.files(".mp4")]
    unlabelled = {f"{int(name):05d}": Label() for name in names if name.isdecimal()}
    for name, label in (unlabelled | labels).items():
        sample = f"{NAME}/{name}"
        frames = list_frames(listing.path(name)) if crops else Video(listing.path(f"{name}.mp4"))
        if isinstance(frames, Video) and not os.path.exists(frames.path):
            out.problem(label.where, label.row, f"no video {frames.path}", "restore it from the release", sample)
            continue
        out.add(sample, frames=frames, **label._asdict())
    return out.reading()


def _labels(corpus: CorpusFolder, out: Collector) -> dict[str, Label]:
    """The label of each clip from all sets of both sides."""
    labels: dict[str, Label] = {}
    for side in ("test", "train"):
        places = [place.format(side) for place in LABELS]
        tree = corpus.get(
            *places, what="set_1.csv … set_5.csv", holds=r"set_\d", files=(".csv",), flat=True, anywhere=False
        )
        for name in tree.listing().files(".csv"):
            if name.lower().startswith("set_"):
                _add_set(labels, tree.path(name), name[4:-4] if side == "test" else None, out)
    return labels


def _add_set(labels: dict[str, Label], path: str, split: str | None, out: Collector) -> None:
    """Adds the labels of one set to those known; where they contradict each other, a problem."""
    seen: set[str] = set()
    for row in read_sheet(path, COLUMNS).rows:
        clip, label = f"{row.whole('video_name', 'a number'):05d}", row.whole("label", "1 to 7")
        if label not in range(1, 8) and not row.faults:
            row.faults.append((f"column 'label' holds {label}, expected 1 to 7", "correct the sheet"))
        if out.faulty(row, path, f"{NAME}/{clip}"):
            continue
        emotion = EMOTIONS[label - 1]
        known = labels.setdefault(clip, Label(emotion, path, row.number, split))
        what = ""
        if clip in seen:
            what = f"{clip} is listed twice"
        elif known.emotion != emotion:
            what = f"{clip} is {emotion} here and {known.emotion} in {known.where}, row {known.row}"
        elif split and known.split != split:
            what = f"{clip} is tested in set {known.split} too"
        seen.add(clip)
        if what:
            out.problem(path, row.number, what, "restore the split from the release", f"{NAME}/{clip}")
