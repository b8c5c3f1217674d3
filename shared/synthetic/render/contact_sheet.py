"""One picture of what the synthetic faces look like: people, action units, a room, a clip."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from ...files import replacing
from .actions import ACTIONS
from .anatomy import Person
from .clip import Clip

SIDE, COLUMNS, CAPTION = 152, 12, 16  # pixels of a face, tiles in a row, pixels above a face


def contact_sheet(path: str | Path, seed: int = 0) -> None:
    """Write a PNG: twelve people; each action unit at .3, at 1, and ten times what changes at .3; a room; a clip."""
    from torchvision.utils import save_image  # here, because it takes seconds, and drawing does not need it

    people = [Person.draw(1000 * seed + i) for i in range(COLUMNS)]
    tiles = [_tile(f"person {person.seed}", _apex(person, {})) for person in people]
    rest = _apex(people[0], {})
    for au, action in ACTIONS.items():
        weak, full = (_apex(people[0], {au: peak}) for peak in (0.3, 1.0))
        change = np.clip(128 + 10 * (weak.astype(int) - rest), 0, 255).astype(np.uint8)
        tiles += [_tile(f"AU{au} {action.name}", weak), _tile("at 1", full), _tile("change at .3", change)]
    for person in people[: -len(tiles) % COLUMNS]:  # up to the end of the row
        tiles.append(_tile("margin .8", _apex(person, {1: 0.6, 2: 0.6, 5: 0.5, 26: 0.6}, margin=0.8)))
    clip = Clip(people[1], {6: 0.5, 12: 0.7, 25: 0.5}, frames=48, onset=6, apex=24, offset=42, fps=30, seed=seed)
    tiles += [_tile(f"frame {t}", picture) for t, picture in enumerate(clip.render(SIDE)) if t % 4 == 0]
    with replacing(path) as temporary:
        save_image(torch.stack(tiles), temporary, format="png", nrow=COLUMNS, padding=6, pad_value=1)


def _apex(person: Person, aus: dict[int, float], margin: float = 0.0) -> np.ndarray:
    """The still face, or the apex of these action units: uint8 (SIDE, SIDE, 3)."""
    clip = Clip(person, aus, frames=3, onset=0, apex=1, offset=2, fps=30, seed=0, sway=0, blink=False, noise=0)
    return clip.render(SIDE, margin=margin)[1]


def _tile(caption: str, picture: np.ndarray) -> torch.Tensor:
    """The picture below its caption, float (3, SIDE + CAPTION, SIDE) in 0..1."""
    tile = Image.fromarray(np.pad(picture, ((CAPTION, 0), (0, 0), (0, 0)), constant_values=255))
    ImageDraw.Draw(tile).text((0, 2), caption, fill=(40, 40, 40))
    return torch.from_numpy(np.array(tile)).permute(2, 0, 1) / 255
