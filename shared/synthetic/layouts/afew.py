"""AFEW: `Train_AFEW/Angry/000046280.avi`, or a folder of frames of that name; no emotions in `Test_AFEW/`."""

from ..labels import generator
from .allot import proportional
from .common import Layout, scaled, wild

EDITIONS = {"frames": "/{:05d}.jpg", "avi": ".avi"}
FPS = 25
WORDS = {
    "anger": "Angry",
    "disgust": "Disgust",
    "fear": "Fear",
    "happiness": "Happy",
    "neutral": "Neutral",
    "sadness": "Sad",
    "surprise": "Surprise",
}
SETS = {
    "Train_AFEW": dict(zip(WORDS, (133, 74, 81, 150, 144, 117, 74), strict=True)),
    "Val_AFEW": dict(zip(WORDS, (64, 40, 46, 63, 63, 61, 46), strict=True)),
}
TEST = "Test_AFEW"
SETS[TEST] = dict(zip(WORDS, proportional(653, list(SETS["Val_AFEW"].values())), strict=True))  # shares are made up
SMOKE = {"Train_AFEW": dict.fromkeys(WORDS, 12), "Val_AFEW": dict.fromkeys(WORDS, 4), TEST: dict.fromkeys(WORDS, 2)}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full.

    `edition` says whether clips are folders of frames or videos, which need PyAV.
    """
    smoke = scale == "smoke"
    rng = generator("AFEW", seed)
    shots = []
    for part, counts in (SMOKE if smoke else SETS).items():
        clips = wild(f"AFEW {part}", scaled(counts, scale), (12, 24), seed)
        ids = rng.choice(6000, len(clips), replace=False) * 40
        for clip, movie in zip(clips, ids, strict=True):
            place = part if part == TEST else f"{part}/{WORDS[clip.emotion]}"
            path = f"{place}/{movie:09d}{EDITIONS[edition]}"
            shots.append(clip.shot(path, FPS, margin=0.1, scene=clip.person))
    return Layout(shots)
