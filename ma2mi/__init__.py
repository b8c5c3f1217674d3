"""MA2MI: micro-expression recognition pre-trained by reconstructing future frames of macro-expression videos."""

from .losses import position_loss, reconstruction_loss
from .model import MIACNet

__all__ = ["MIACNet", "position_loss", "reconstruction_loss"]
