"""A corpus of tiny images in the layout of CASME II."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion")
EMOTIONS = ("happiness", "surprise", "disgust")


def write_casme2(root: Path, *, subjects: int = 4, clips: int = 3, seed: int = 0) -> Path:
    """CASME2/ under `root`: three images of 8×8 a clip; where the apex brightens tells the emotion."""
    rng = np.random.default_rng(seed)
    rows = [HEADER]
    for s in range(1, subjects + 1):
        for c in range(1, clips + 1):
            emotion = EMOTIONS[(c - 1) % 3]
            folder = root / "CASME2" / "Cropped" / f"sub{s:02d}" / f"EP{c:02d}_01"
            folder.mkdir(parents=True)
            face = rng.integers(60, 120, (8, 8)).astype(np.uint8)
            for number in (1, 2, 3):
                image = face.copy()
                image[EMOTIONS.index(emotion) * 3 :][:2] += np.uint8(60 * (number == 2))
                Image.fromarray(image).save(folder / f"reg_img{number}.png")
            rows.append((s, folder.name, 1, 2, 3, "4+12", emotion))
    write_sheet(root, rows)
    return root


def write_sheet(root: Path, rows, name: str = "CASME2-coding-20140508.csv") -> None:
    with open(root / "CASME2" / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def read_sheet(root: Path) -> list[list[str]]:
    with open(root / "CASME2" / "CASME2-coding-20140508.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))
