"""One picture that shows what the generated faces look like: people, action units, a clip."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageDraw

from .actions import ACTIONS
from .anatomy import Person
from .clip import Clip

_GAP, _LABEL, _PAPER = 6, 16, 248


def contact_sheet(path: str, seed: int = 0) -> None:
    """Writes a PNG: eight people; each action unit at .3 and 1, and ten times what changed at .3; clips."""
    people = [Person.draw(1000 * seed + i) for i in range(8)]
    blocks = [_row([(f"person {p.seed}", _still(p, {}, 232)) for p in people])]
    units, rest = [], _still(people[0], {}, 152)
    for au, action in ACTIONS.items():
        weak, full = (_still(people[0], {au: peak}, 152) for peak in (0.3, 1))
        change = np.clip(128 + 10 * (weak.astype(int) - rest), 0, 255).astype(np.uint8)
        units.append((f"AU{au} {action.name}: .3, 1, change at .3", np.concatenate([weak, full, change], 1)))
    blocks += [_row(units[i : i + 4]) for i in range(0, len(units), 4)]
    clip = Clip(people[1], {6: 0.5, 12: 0.7, 25: 0.5}, frames=48, onset=6, apex=24, offset=42, fps=30, seed=seed)
    blocks.append(_row([(f"frame {t}", picture) for t, picture in enumerate(clip.render(152)) if t % 4 == 0]))
    wide = Clip(people[2], {1: 0.6, 2: 0.6, 5: 0.5, 26: 0.6}, frames=3, onset=0, apex=1, offset=2, fps=30, seed=seed)
    colour, gray = (wide.render((300, 400), margin=0.8, gray=g) for g in (False, True))
    blocks.append(_row([("margin .8", colour[0]), ("apex", colour[1]), ("gray", gray[1][..., None].repeat(3, -1))]))
    width = max(b.shape[1] for b in blocks)
    blocks = [np.pad(b, ((0, 0), (0, width - b.shape[1]), (0, 0)), constant_values=_PAPER) for b in blocks]
    Image.fromarray(np.concatenate(blocks)).save(f"{path}.part", "PNG")
    os.replace(f"{path}.part", path)


def _still(person: Person, aus: dict[int, float], size: int) -> np.ndarray:
    clip = Clip(person, aus, frames=3, onset=0, apex=1, offset=2, fps=30, seed=0, sway=0, blink=False, noise=0)
    return clip.render(size)[1]


def _row(pictures: list[tuple[str, np.ndarray]]) -> np.ndarray:
    height = max(p.shape[0] for _, p in pictures) + _LABEL + _GAP
    row = Image.new("RGB", (sum(p.shape[1] + _GAP for _, p in pictures) + _GAP, height), (_PAPER,) * 3)
    left = _GAP
    for label, picture in pictures:
        ImageDraw.Draw(row).text((left, 2), label, fill=(40, 40, 40))
        row.paste(Image.fromarray(picture), (left, _LABEL))
        left += picture.shape[1] + _GAP
    return np.asarray(row)
