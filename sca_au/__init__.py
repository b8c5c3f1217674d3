"""Micro-expression action unit detection with spatial and channel attention (Li et al., Neurocomputing 2021)."""

from .attention import SCA, ChannelAttention, SpatialAttention, covariance
from .losses import au_loss, total_loss
from .model import Res3D, SCANetwork

hub = SCANetwork  # what torch.hub.load makes, see hubconf.py

__all__ = ["SCA", "ChannelAttention", "Res3D", "SCANetwork", "SpatialAttention", "au_loss", "covariance", "total_loss"]
