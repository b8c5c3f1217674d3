"""Oulu-CASIA: `PreProcess_Img/VL_Acropped/Strong/P001/Anger/000.jpeg`, from neutral to the apex."""

from .common import Layout, rising_times, takes, thin

EDITIONS = {"PreProcess_Img": "PreProcess_Img", "PreProcessImg": "PreProcessImg", "PreProcess": "PreProcess"}
FPS = 25
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
PEOPLE = [f"P{i:03d}" for i in range(1, 81)]


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full; `edition` is the name of its folder."""
    people = PEOPLE[:10] if scale == "smoke" else thin(PEOPLE, scale, str)
    longest = 14 if scale == "smoke" else 30
    clips = takes(
        "Oulu-CASIA",
        [(p, e) for p in people for e in EMOTIONS],
        lambda rng: rising_times(rng, 9, longest),
        seed,
        macro=True,
    )
    shots = []
    for clip in clips:
        clip.first = 0
        path = f"{EDITIONS[edition]}/VL_Acropped/Strong/{clip.subject}/{clip.emotion.capitalize()}/{{:03d}}.jpeg"
        shots.append(clip.shot(path, FPS, blink=False))
    return Layout(shots)
