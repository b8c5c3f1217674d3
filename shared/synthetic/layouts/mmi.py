"""MMI: `Sessions/<id>/session.xml`, `<clip>.avi`, `<clip>.xml`, at times `<clip>-oao_aucs.xml`; view 0 is frontal."""

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, macro_times, scenery, takes, thin

EDITIONS = {"2010": "Sessions"}
FPS = 24
SCENERY = scenery(720, 576)
EMOTIONS = {"anger": 32, "disgust": 30, "fear": 29, "happiness": 42, "sadness": 32, "surprise": 40}
VALUES = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
PEOPLE = [f"S{i:03d}" for i in range(1, 31)]
SIDE_VIEWS, UNLABELLED = 20, 15  # sessions that a reader passes over: seen from the side, or without an emotion
SMOKE = {"anger": 8, "disgust": 8, "fear": 8, "happiness": 9, "sadness": 8, "surprise": 9}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full. Its films need PyAV."""
    rng = generator("MMI", seed)
    if scale == "smoke":
        pairs = evenly(SMOKE, PEOPLE[:8])
    else:
        pairs = sorted(deal(EMOTIONS, uneven(sum(EMOTIONS.values()), PEOPLE, rng, low=2), rng))
        pairs = thin(pairs, scale, lambda pair: pair[0])
    extra = 2 if scale == "smoke" else SIDE_VIEWS + UNLABELLED
    passed = [(pairs[i % len(pairs)][0], "happiness") for i in range(0, 3 * extra, 3)]
    longest = 24 if scale == "smoke" else 60
    clips = takes("MMI", pairs + passed, lambda rng: macro_times(rng, 16, longest), seed, macro=True)
    layout, used = Layout([]), {}
    for i, clip in enumerate(clips):
        used[clip.subject] = used.get(clip.subject, 0) + 1
        name, folder = f"{clip.subject}-{used[clip.subject]:03d}", f"{EDITIONS[edition]}/{i + 1}"
        side = i >= len(pairs) and i % 2 == 0
        labelled = i < len(pairs) or side
        layout.shots.append(clip.shot(f"{folder}/{name}.avi", FPS, **SCENERY))
        layout.sheets[f"{folder}/session.xml"] = _xml(
            f'<session sessionId="{i + 1}">\n  <subject id="{clip.subject}"/>\n'
            f'  <track type="Video" view="{int(side)}" filename="{name}.avi"/>\n</session>'
        )
        emotion = f'  <Metatag Name="Emotion" Value="{VALUES[clip.emotion]}"/>\n' if labelled else ""
        layout.sheets[f"{folder}/{name}.xml"] = _xml(
            f'<clip>\n  <Metatag Name="Subject" Value="{clip.subject}"/>\n{emotion}</clip>'
        )
        if rng.random() < 0.3:
            units = "".join(f'  <ActionUnit Number="{au}"/>\n' for au in sorted(clip.display.aus))
            layout.sheets[f"{folder}/{name}-oao_aucs.xml"] = _xml(f"<clip>\n{units}</clip>")
    return layout


def _xml(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
