"""CK+: images from neutral to the peak, emotion and AUs in text files named after the last; many folders are empty."""

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, rising_times, scenery, takes, thin

EDITIONS = {"2010": "cohn-kanade-images"}
FPS = 30
SCENERY = scenery(640, 490)
EMOTIONS = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
LABELS = {emotion: i for i, emotion in enumerate(EMOTIONS, 1)}
LABELLED, SEQUENCES, PEOPLE = 118, 593, 123  # people with a label; all sequences, all people
SMOKE = {"anger": 10, "contempt": 6, "disgust": 10, "fear": 8, "happiness": 12, "sadness": 8, "surprise": 12}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full."""
    rng = generator("CK+", seed)
    if scale == "smoke":
        pairs = evenly(SMOKE | {"": 4}, [f"S{i:03d}" for i in (5, 10, 11, 14, 22, 26, 28, 32, 34, 35)])
    else:
        subjects = [f"S{i:03d}" for i in sorted(rng.choice(range(5, 150), PEOPLE, replace=False).tolist())]
        labelled = subjects[:LABELLED]
        pairs = deal(EMOTIONS, uneven(sum(EMOTIONS.values()), labelled, rng, spread=0.4), rng)
        more = uneven(SEQUENCES - len(pairs), subjects, rng)
        pairs += [(subject, "") for subject, n in more.items() for _ in range(n)]
        pairs = thin(sorted(pairs), scale, lambda pair: pair[0])
    shown = [(subject, emotion or str(rng.choice(list(EMOTIONS)))) for subject, emotion in pairs]
    clips = takes("CK+", shown, lambda rng: rising_times(rng, 8, 24), seed, macro=True)
    layout, used = Layout([]), {}
    for clip, (subject, emotion) in zip(clips, pairs, strict=True):
        used[subject] = used.get(subject, 0) + 1
        place = f"{subject}/{used[subject]:03d}"
        name = f"{subject}_{used[subject]:03d}"
        path = f"{EDITIONS[edition]}/{place}/{name}_{{:08d}}.png"
        layout.shots.append(clip.shot(path, FPS, gray=True, blink=False, **SCENERY))
        peak = f"{place}/{name}_{clip.times[0]:08d}"
        aus = sorted(clip.display.aus.items())
        layout.sheets[f"FACS/{peak}_facs.txt"] = "".join(f"   {au:.7e}   {round(5 * x):.7e}\n" for au, x in aus)
        if emotion:
            layout.sheets[f"Emotion/{peak}_emotion.txt"] = f"   {LABELS[emotion]:.7e}\n"
        else:
            layout.folders.append(f"Emotion/{place}")
    return layout
