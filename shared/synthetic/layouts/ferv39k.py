"""FERV39k: `2_ClipsforFaceCrop/<Scene>/<Emotion>/<NNNN>/*.jpg`, the sets in space-separated lists without a header."""

from ..labels import generator
from .allot import proportional
from .common import FOLDERS, Framing, Plan, ordinals, wild

EDITIONS = {"2022": "2_ClipsforFaceCrop"}
FPS = 25
SCENES = (
    "Action Argue Business Conflict Crime Daily Education Elderly Family Fantasy Funeral "
    "Health History Horror Interview Kids Romance School Sports Suspense Travel War"
)
SETS = {"train": 31088, "test": 7847}
# Shares of the emotions; like the scenes' names they are made up: only the two sets' sizes are the real ones.
MIX = dict(anger=0.19, disgust=0.06, fear=0.05, happiness=0.18, neutral=0.25, sadness=0.18, surprise=0.09)
SMOKE = {"train": 84, "test": 28}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it."""
    sizes = {part: round(n * share) for part, n in (SMOKE if smoke else SETS).items()}
    total = sum(sizes.values())
    counts = dict(zip(MIX, proportional(total, [1] * len(MIX) if smoke else list(MIX.values())), strict=True))
    made = wild("FERV39k", counts, (12, 16), seed)
    scenes = generator("FERV39k", seed).choice(SCENES.split(), total)
    folders = [f"{scene}/{FOLDERS[take.emotion]}" for take, scene in zip(made, scenes, strict=True)]
    plan, lines = Plan([]), []
    for take, folder, n in zip(made, folders, ordinals(folders), strict=True):
        path = f"{EDITIONS[edition]}/{folder}/{n:04d}/{{:05d}}.jpg"
        plan.shots.append(take.shot(path, FPS, Framing(margin=0.1), scene=take.person))
        lines.append(f"{folder}/{n:04d} {FOLDERS[take.emotion]}\n")
    for part, chosen in (("train", lines[: sizes["train"]]), ("test", lines[sizes["train"] :])):
        plan.sheets[f"4_setups/All_scenes/{part}_All.csv"] = "".join(chosen)
    return plan
