"""The hand-crafted features of Sec. 4.3: each turns a grey volume (T, H, W) into one vector over 5×5 blocks."""

from .hog3d import hog3d
from .lbp import lbp_sip, lbp_top
from .lpq import lpq_top

__all__ = ["hog3d", "lbp_sip", "lbp_top", "lpq_top"]
