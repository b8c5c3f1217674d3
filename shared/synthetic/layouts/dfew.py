"""DFEW: `Clip/clip_224x224/00001/00001_00001.jpg`, and five folds of those clips that have a single label."""

from ..labels import generator
from .allot import proportional
from .common import Framing, Plan, scaled, wild

EDITIONS = {"clip_224x224": "(single_labeled)", "single-labeled": "(single-labeled)"}
FPS = 25
EMOTIONS = dict(happiness=2488, sadness=1807, neutral=2709, anger=2229, surprise=1498, disgust=146, fear=820)
LABELS = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
UNLABELLED = 16372 - sum(EMOTIONS.values())
TEST = (2341, 2341, 2340, 2339, 2336)
SMOKE = {"happiness": 18, "sadness": 16, "neutral": 18, "anger": 16, "surprise": 14, "disgust": 8, "fear": 10}
SMOKE_UNLABELLED = 20


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it; `edition` is the spelling of the split folders."""
    counts = scaled(SMOKE if smoke else EMOTIONS, share)
    (unlabelled,) = scaled({"": SMOKE_UNLABELLED if smoke else UNLABELLED}, share).values()
    spare = dict(zip(counts, proportional(unlabelled, list(counts.values())), strict=True))
    made = wild("DFEW", {emotion: counts[emotion] + spare[emotion] for emotion in counts}, (16, 24), seed)
    plan = Plan([])
    for n, take in enumerate(made, 1):
        path = f"Clip/clip_224x224/{n:05d}/{n:05d}_{{:05d}}.jpg"
        plan.shots.append(take.shot(path, FPS, Framing(margin=0.1), scene=take.person))
    rng, rows = generator("DFEW", seed), []
    for k in rng.permutation(len(made)).tolist():
        emotion = made[k].emotion
        if spare[emotion]:
            spare[emotion] -= 1
        else:
            rows.append([k + 1, LABELS[emotion]])
    rows.sort()
    sizes = proportional(len(rows), TEST)
    fold = rng.permutation([k for k, size in enumerate(sizes) for _ in range(size)])
    for k in range(len(TEST)):
        for part, chosen in (("train", fold != k), ("test", fold == k)):
            table = [["video_name", "label"], *(row for row, there in zip(rows, chosen, strict=True) if there)]
            plan.sheets[f"EmoLabel_DataSplit/{part}{EDITIONS[edition]}/set_{k + 1}.csv"] = table
    return plan
