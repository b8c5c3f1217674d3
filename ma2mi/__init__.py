"""From Macro to Micro: pre-training on macro-expression videos, MA2MI (Li, Niu and Zhao)."""

from .autoencoder import Autoencoder, PoolAutoencoder
from .dit import DiT
from .losses import draw_tau, position_loss, reconstruction_loss, spatial_transform
from .model import MIACNet
from .predictor import FramePredictor

hub = MIACNet  # what torch.hub.load makes, see hubconf.py
hub_others = {"ma2mi_predictor": FramePredictor}

__all__ = [
    "MIACNet",
    "DiT",
    "FramePredictor",
    "Autoencoder",
    "PoolAutoencoder",
    "draw_tau",
    "position_loss",
    "reconstruction_loss",
    "spatial_transform",
]
