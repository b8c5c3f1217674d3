"""AFEW: `Train_AFEW/Angry/000046280.avi`, or a folder of frames of that name; no emotions in `Test_AFEW/`."""

from ..labels import generator
from .allot import proportional
from .common import FOLDERS, Framing, Plan, scaled, wild

EDITIONS = {"frames": "/{:05d}.jpg", "avi": ".avi"}
FPS = 25
TEST = "Test_AFEW"
SETS = {
    "Train_AFEW": dict(zip(FOLDERS, (133, 74, 81, 150, 144, 117, 74), strict=True)),
    "Val_AFEW": dict(zip(FOLDERS, (64, 40, 46, 63, 63, 61, 46), strict=True)),
}
SETS[TEST] = dict(zip(FOLDERS, proportional(653, list(SETS["Val_AFEW"].values())), strict=True))  # made-up shares
SMOKE = {part: dict.fromkeys(FOLDERS, n) for part, n in (("Train_AFEW", 12), ("Val_AFEW", 4), (TEST, 2))}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it. `edition`: clips are folders of frames, or films."""
    rng = generator("AFEW", seed)
    shots = []
    for part, counts in (SMOKE if smoke else SETS).items():
        made = wild(f"AFEW {part}", scaled(counts, share), (12, 24), seed)
        ids = rng.choice(6000, len(made), replace=False) * 40
        for take, movie in zip(made, ids, strict=True):
            folder = part if part == TEST else f"{part}/{FOLDERS[take.emotion]}"
            path = f"{folder}/{movie:09d}{EDITIONS[edition]}"
            shots.append(take.shot(path, FPS, Framing(margin=0.1), scene=take.person))
    return Plan(shots)
