"""Synthetic faces, for where there is no data: no real person, nothing comparable with a paper.

In: seeds, or the name of a corpus. Out: from `render`, people and clips with the true intensities and motion of every
frame; from `write`, whole corpora in the layouts in which the real ones are released (`layouts`), with the truth beside
them. `labels` maps emotions to action units.
"""

from .render.actions import AUS
from .render.anatomy import Person
from .render.clip import Clip

__all__ = ["AUS", "Clip", "Person"]
