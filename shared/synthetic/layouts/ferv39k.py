"""FERV39k: `2_ClipsforFaceCrop/<Scene>/<Emotion>/<NNNN>/*.jpg`, the sets in space-separated lists without a header."""

from ..labels import generator
from .allot import proportional
from .common import Layout, wild

EDITIONS = {"2022": "2_ClipsforFaceCrop"}
FPS = 25
SCENES = (
    "Action",
    "Argue",
    "Business",
    "Conflict",
    "Crime",
    "Daily",
    "Education",
    "Elderly",
    "Family",
    "Fantasy",
    "Funeral",
    "Health",
    "History",
    "Horror",
    "Interview",
    "Kids",
    "Romance",
    "School",
    "Sports",
    "Suspense",
    "Travel",
    "War",
)
WORDS = {
    "anger": "Angry",
    "disgust": "Disgust",
    "fear": "Fear",
    "happiness": "Happy",
    "neutral": "Neutral",
    "sadness": "Sad",
    "surprise": "Surprise",
}
SETS = {"train": 31088, "test": 7847}
# Shares of the emotions; like the scenes' names they are made up: only the two sets' sizes are the real ones.
MIX = {
    "anger": 0.19,
    "disgust": 0.06,
    "fear": 0.05,
    "happiness": 0.18,
    "neutral": 0.25,
    "sadness": 0.18,
    "surprise": 0.09,
}
SMOKE = {"train": 84, "test": 28}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full."""
    smoke = scale == "smoke"
    sizes = SMOKE if smoke else {part: round(n * (1 if scale == "full" else scale)) for part, n in SETS.items()}
    total = sum(sizes.values())
    counts = dict(zip(MIX, proportional(total, [1] * len(MIX) if smoke else list(MIX.values())), strict=True))
    clips = wild("FERV39k", counts, (12, 16), seed)
    rng = generator("FERV39k", seed)
    scenes = rng.choice(SCENES, total)
    layout, lines, used = Layout([]), [], {}
    for clip, scene in zip(clips, scenes, strict=True):
        word = WORDS[clip.emotion]
        used[scene, word] = used.get((scene, word), 0) + 1
        place = f"{scene}/{word}/{used[scene, word]:04d}"
        layout.shots.append(clip.shot(f"{EDITIONS[edition]}/{place}/{{:05d}}.jpg", FPS, margin=0.1, scene=clip.person))
        lines.append(f"{place} {word}\n")
    for part, chosen in (("train", lines[: sizes["train"]]), ("test", lines[sizes["train"] :])):
        layout.sheets[f"4_setups/All_scenes/{part}_All.csv"] = "".join(chosen)
    return layout
