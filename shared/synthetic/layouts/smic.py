"""SMIC: `SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image000046.bmp`; the folder is the label; no sheet."""

from functools import partial

from ..labels import generator
from .allot import Pair, evenly, unevenly
from .common import Plan, micro_times, ordinals, takes, thin

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


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """HS, VIS and NIR at smoke scale, or this share of them; NIR films what VIS films."""
    plan = Plan([])
    for camera, (fps, people, counts) in CAMERAS.items():
        rng = generator("SMIC", camera.replace("NIR", "VIS"), seed)
        pairs = evenly(SMOKE, people[:6]) if smoke else thin(unevenly(counts, people, rng), share)
        shown = [Pair(subject, str(rng.choice(BEHIND[label]))) for subject, label in pairs]
        still = [Pair(subject, "neutral") for subject in dict.fromkeys(pair.subject for pair in pairs)]
        times = partial(micro_times, fps=fps)
        made = takes("SMIC", shown, times, seed) + takes("SMIC", still, times, seed, macro=True)
        labelled = pairs + [Pair(subject, "") for subject, _ in still]
        for take, (subject, label), n in zip(made, labelled, ordinals(labelled), strict=True):
            take.first = int(rng.integers(1, 5000))
            folder = f"micro/{label}/{subject}_{SHORT[label]}" if label else f"non_micro/{subject}_non"
            path = f"{EDITIONS[edition]}/{camera}/{subject}/{folder}_{n:02d}/reg_image{{:06d}}.bmp"
            plan.shots.append(take.shot(path, fps, gray=camera == "NIR"))
    return plan
