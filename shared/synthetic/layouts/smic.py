"""SMIC: `SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image000046.bmp`; the folder is the label; no sheet."""

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, micro_times, takes, thin

EDITIONS = {"cropped": "SMIC_all_cropped"}
PEOPLE = [f"s{i}" for i in range(1, 21) if i not in (7, 10, 16, 17)]
CAMERAS = {  # frame rate, people, counts
    "HS": (100, PEOPLE, {"negative": 70, "positive": 51, "surprise": 43}),
    "VIS": (25, PEOPLE[-8:], {"negative": 23, "positive": 28, "surprise": 20}),
    "NIR": (25, PEOPLE[-8:], {"negative": 23, "positive": 28, "surprise": 20}),
}
SMOKE = {"negative": 14, "positive": 12, "surprise": 12}
SHORT = {"negative": "ne", "positive": "po", "surprise": "sur"}
BEHIND = {"negative": ("disgust", "sadness", "fear"), "positive": ("happiness",), "surprise": ("surprise",)}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """HS, VIS and NIR at "smoke", "full" or a share of full; NIR films what VIS films."""
    shots = []
    for camera, (fps, people, counts) in CAMERAS.items():
        source = camera.replace("NIR", "VIS")
        rng = generator("SMIC", source, seed)
        if scale == "smoke":
            pairs = evenly(SMOKE, people[:6])
        else:
            pairs = sorted(deal(counts, uneven(sum(counts.values()), people, rng, low=2), rng))
            pairs = thin(pairs, scale, lambda pair: pair[0])
        shown = [(subject, str(rng.choice(BEHIND[label]))) for subject, label in pairs]
        still = [(subject, "neutral") for subject in dict.fromkeys(subject for subject, _ in pairs)]

        def times(rng, fps=fps):
            return micro_times(rng, fps)

        clips = takes("SMIC", shown, times, seed) + takes("SMIC", still, times, seed, macro=True)
        labels = [label for _, label in pairs] + [""] * len(still)
        used: dict[tuple[str, str], int] = {}
        for clip, label in zip(clips, labels, strict=True):
            who = clip.subject
            used[who, label] = used.get((who, label), 0) + 1
            clip.first = int(rng.integers(1, 5000))
            folder = f"micro/{label}/{who}_{SHORT[label]}" if label else f"non_micro/{who}_non"
            path = f"{EDITIONS[edition]}/{camera}/{who}/{folder}_{used[who, label]:02d}/reg_image{{:06d}}.bmp"
            shots.append(clip.shot(path, fps, gray=camera == "NIR"))
    return Layout(shots)
