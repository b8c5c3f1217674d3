"""DFEW: `Clip/clip_224x224/00001/00001_00001.jpg`, and five folds of those clips that have a single label."""

from ..labels import generator
from .allot import proportional
from .common import Layout, scaled, wild

EDITIONS = {"clip_224x224": "(single_labeled)", "single-labeled": "(single-labeled)"}
FPS = 25
EMOTIONS = {
    "happiness": 2488,
    "sadness": 1807,
    "neutral": 2709,
    "anger": 2229,
    "surprise": 1498,
    "disgust": 146,
    "fear": 820,
}
LABELS = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
UNLABELLED = 16372 - sum(EMOTIONS.values())
TEST = (2341, 2341, 2340, 2339, 2336)
SMOKE = {"happiness": 18, "sadness": 16, "neutral": 18, "anger": 16, "surprise": 14, "disgust": 8, "fear": 10}
SMOKE_UNLABELLED = 20


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full; `edition` is how the split folders are spelt."""
    smoke = scale == "smoke"
    counts = SMOKE if smoke else scaled(EMOTIONS, scale)
    unlabelled = SMOKE_UNLABELLED if smoke else scaled({"": UNLABELLED}, scale)[""]
    spare = dict(zip(counts, proportional(unlabelled, list(counts.values())), strict=True))
    clips = wild("DFEW", {emotion: counts[emotion] + spare[emotion] for emotion in counts}, (16, 24), seed)
    shots = [
        clip.shot(f"Clip/clip_224x224/{n:05d}/{n:05d}_{{:05d}}.jpg", FPS, margin=0.1, scene=clip.person)
        for n, clip in enumerate(clips, 1)
    ]
    rng, rows = generator("DFEW", seed), []
    for k in rng.permutation(len(clips)).tolist():
        emotion = clips[k].emotion
        if spare[emotion]:
            spare[emotion] -= 1
        else:
            rows.append([k + 1, LABELS[emotion]])
    rows.sort()
    sizes = proportional(len(rows), TEST)
    fold = rng.permutation([k for k, size in enumerate(sizes) for _ in range(size)])
    sheets = {}
    for k in range(len(TEST)):
        for part, chosen in (("train", fold != k), ("test", fold == k)):
            table = [["video_name", "label"], *(row for row, there in zip(rows, chosen, strict=True) if there)]
            sheets[f"EmoLabel_DataSplit/{part}{EDITIONS[edition]}/set_{k + 1}.csv"] = table
    return Layout(shots, sheets)
