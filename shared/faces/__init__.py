"""Generated faces: people, action units and clips with their truth, all from seeds."""

from .actions import AUS
from .anatomy import Person
from .clip import Clip
from .contact_sheet import contact_sheet

__all__ = ["AUS", "Clip", "Person", "contact_sheet"]
