"""Generated faces: people, action units and clips with their truth, all from seeds."""

from .actions import AUS
from .anatomy import Person
from .clip import Clip

__all__ = ["AUS", "Clip", "Person"]
