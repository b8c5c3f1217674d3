"""Oulu-CASIA: `PreProcess_Img/VL_Acropped/Strong/P001/Anger/000.jpeg`, from neutral to the apex."""

from functools import partial

from .allot import Pair
from .common import Plan, rising_times, takes, thin

EDITIONS = {"PreProcess_Img": "PreProcess_Img", "PreProcessImg": "PreProcessImg", "PreProcess": "PreProcess"}
FPS = 25
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
PEOPLE = [f"P{i:03d}" for i in range(1, 81)]


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it; `edition` is the name of its folder."""
    people = PEOPLE[:10] if smoke else PEOPLE
    pairs = thin([Pair(subject, emotion) for subject in people for emotion in EMOTIONS], share)
    plan = Plan([])
    for take in takes("Oulu-CASIA", pairs, partial(rising_times, low=9, high=14 if smoke else 30), seed, macro=True):
        take.first = 0
        path = f"{EDITIONS[edition]}/VL_Acropped/Strong/{take.subject}/{take.emotion.capitalize()}/{{:03d}}.jpeg"
        plan.shots.append(take.shot(path, FPS, blink=False))
    return plan
