"""Three-stream temporal-shift attention network with self-knowledge distillation (Zhu et al. 2024)."""

from .attention import ECA
from .losses import skd_loss
from .magnify import MotionMagnification
from .model import SKD_TSTSAN, TSCNN
from .release import load_released
from .shift import TemporalShift

hub = SKD_TSTSAN  # what torch.hub.load makes, see hubconf.py

__all__ = ["ECA", "MotionMagnification", "SKD_TSTSAN", "TSCNN", "TemporalShift", "load_released", "skd_loss"]
