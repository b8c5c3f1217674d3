"""CK+: images from neutral to the peak, emotion and AUs in text files named after the last; many folders are empty."""

from functools import partial

from ..labels import generator
from .allot import Pair, evenly, uneven, unevenly
from .common import Plan, ordinals, rising_times, scenery, takes, thin

EDITIONS = {"2010": "cohn-kanade-images"}
FPS = 30
FRAMING = scenery(640, 490)
EMOTIONS = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
LABELS = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
LABELLED, SEQUENCES, PEOPLE = 118, 593, 123  # people with a label; all sequences, all people
SMOKE = {"anger": 10, "contempt": 6, "disgust": 10, "fear": 8, "happiness": 12, "sadness": 8, "surprise": 12}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it."""
    rng = generator("CK+", seed)
    if smoke:
        pairs = evenly(SMOKE | {"": 4}, [f"S{i:03d}" for i in (5, 10, 11, 14, 22, 26, 28, 32, 34, 35)])
    else:
        subjects = [f"S{i:03d}" for i in sorted(rng.choice(range(5, 150), PEOPLE, replace=False).tolist())]
        pairs = unevenly(EMOTIONS, subjects[:LABELLED], rng, low=1, spread=0.4)
        more = uneven(SEQUENCES - len(pairs), subjects, rng)
        pairs = thin(sorted(pairs + [Pair(subject, "") for subject, n in more.items() for _ in range(n)]), share)
    shown = [Pair(subject, emotion or str(rng.choice(list(EMOTIONS)))) for subject, emotion in pairs]
    made = takes("CK+", shown, partial(rising_times, low=8, high=24), seed, macro=True)
    plan = Plan([])
    for take, (subject, emotion), n in zip(made, pairs, ordinals(take.subject for take in made), strict=True):
        folder, name = f"{subject}/{n:03d}", f"{subject}_{n:03d}"
        path = f"{EDITIONS[edition]}/{folder}/{name}_{{:08d}}.png"
        plan.shots.append(take.shot(path, FPS, FRAMING, gray=True, blink=False))
        peak = f"{folder}/{name}_{take.times.frames:08d}"
        aus = sorted(take.display.aus.items())
        plan.sheets[f"FACS/{peak}_facs.txt"] = "".join(f"   {au:.7e}   {round(5 * x):.7e}\n" for au, x in aus)
        if emotion:
            plan.sheets[f"Emotion/{peak}_emotion.txt"] = f"   {LABELS[emotion]:.7e}\n"
        else:
            plan.folders.append(f"Emotion/{folder}")
    return plan
