"""MA2MI: micro-expression recognition pre-trained by reconstructing future frames of macro-expression videos."""

from .autoencoder import Autoencoder, PoolAutoencoder
from .dit import DiT
from .losses import position_loss, reconstruction_loss
from .model import MIACNet

__all__ = ["MIACNet", "DiT", "Autoencoder", "PoolAutoencoder", "position_loss", "reconstruction_loss"]
