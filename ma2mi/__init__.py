"""From Macro to Micro: pre-training on macro-expression videos, MA2MI (Li, Niu and Zhao)."""

from .autoencoder import Autoencoder, PoolAutoencoder
from .dit import DiT
from .losses import draw_tau, position_loss, reconstruction_loss, spatial_transform
from .model import MIACNet

hub = MIACNet  # what torch.hub.load makes, see hubconf.py

__all__ = [
    "MIACNet",
    "DiT",
    "Autoencoder",
    "PoolAutoencoder",
    "draw_tau",
    "position_loss",
    "reconstruction_loss",
    "spatial_transform",
]
