"""Three-stream temporal-shift attention network with self-knowledge distillation (Zhu et al., 2024)."""

from .attention import ECA
from .baselines import CapsuleNet, MMNet, STSTNet, capsule_loss
from .losses import skd_loss
from .magnify import MotionMagnification
from .model import SKD_TSTSAN, TSCNN
from .release import load_released
from .shift import TemporalShift

hub = SKD_TSTSAN  # what torch.hub.load makes, see hubconf.py
hub_others = {"ststnet": STSTNet, "capsulenet": CapsuleNet, "mmnet": MMNet}

__all__ = [
    "CapsuleNet",
    "ECA",
    "MMNet",
    "MotionMagnification",
    "SKD_TSTSAN",
    "STSTNet",
    "TSCNN",
    "TemporalShift",
    "capsule_loss",
    "load_released",
    "skd_loss",
]
