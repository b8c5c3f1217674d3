"""Generated faces: people, action units and clips with their truth, all from seeds."""

from .render.actions import AUS
from .render.anatomy import Person
from .render.clip import Clip
from .render.contact_sheet import contact_sheet

__all__ = ["AUS", "Clip", "Person", "contact_sheet"]
