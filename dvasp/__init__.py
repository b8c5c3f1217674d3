"""Dual-view attentive similarity-preserving distillation for micro-expression AU detection (Li et al., FG 2021)."""

from .losses import asp_loss, co_regularization_loss, multi_view_loss, selective_weights
from .magnify import magnify, prepare
from .model import DualView, SingleView, Teacher, read_teacher

hub = DualView  # what torch.hub.load makes, see hubconf.py
hub_others = {"dvasp_teacher": Teacher}

__all__ = [
    "DualView",
    "SingleView",
    "Teacher",
    "asp_loss",
    "co_regularization_loss",
    "magnify",
    "multi_view_loss",
    "prepare",
    "read_teacher",
    "selective_weights",
]
