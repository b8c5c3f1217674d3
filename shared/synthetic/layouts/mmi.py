"""MMI: `Sessions/<id>/session.xml`, `<clip>.avi`, `<clip>.xml`, at times `<clip>-oao_aucs.xml`; view 0 is frontal."""

from functools import partial

from ..labels import generator
from .allot import Pair, evenly, unevenly
from .common import Plan, macro_times, ordinals, scenery, takes, thin

EDITIONS = {"2010": "Sessions"}
FPS = 24
FRAMING = scenery(720, 576)
EMOTIONS = {"anger": 32, "disgust": 30, "fear": 29, "happiness": 42, "sadness": 32, "surprise": 40}
VALUES = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
PEOPLE = [f"S{i:03d}" for i in range(1, 31)]
SIDE_VIEWS, UNLABELLED = 20, 15  # sessions that a reader passes over: seen from the side, or without an emotion
SMOKE = {"anger": 8, "disgust": 8, "fear": 8, "happiness": 9, "sadness": 8, "surprise": 9}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it. Its films need PyAV."""
    rng = generator("MMI", seed)
    pairs = evenly(SMOKE, PEOPLE[:8]) if smoke else thin(unevenly(EMOTIONS, PEOPLE, rng), share)
    extra = 2 if smoke else SIDE_VIEWS + UNLABELLED
    passed = [Pair(pairs[i % len(pairs)].subject, "happiness") for i in range(0, 3 * extra, 3)]
    times = partial(macro_times, low=16, high=24 if smoke else 60)
    made = takes("MMI", pairs + passed, times, seed, macro=True)
    plan = Plan([])
    for i, (take, n) in enumerate(zip(made, ordinals(take.subject for take in made), strict=True)):
        name, folder = f"{take.subject}-{n:03d}", f"{EDITIONS[edition]}/{i + 1}"
        side = i >= len(pairs) and i % 2 == 0
        labelled = i < len(pairs) or side
        plan.shots.append(take.shot(f"{folder}/{name}.avi", FPS, FRAMING))
        plan.sheets[f"{folder}/session.xml"] = _xml(
            f'<session sessionId="{i + 1}">\n  <subject id="{take.subject}"/>\n'
            f'  <track type="Video" view="{int(side)}" filename="{name}.avi"/>\n</session>'
        )
        emotion = f'  <Metatag Name="Emotion" Value="{VALUES[take.emotion]}"/>\n' if labelled else ""
        plan.sheets[f"{folder}/{name}.xml"] = _xml(
            f'<clip>\n  <Metatag Name="Subject" Value="{take.subject}"/>\n{emotion}</clip>'
        )
        if rng.random() < 0.3:
            units = "".join(f'  <ActionUnit Number="{au}"/>\n' for au in sorted(take.display.aus))
            plan.sheets[f"{folder}/{name}-oao_aucs.xml"] = _xml(f"<clip>\n{units}</clip>")
    return plan


def _xml(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
