"""Dual-view attentive similarity-preserving distillation for micro-expression action unit detection (FG 2021)."""

from .losses import asp_loss, co_regularization_loss, multi_view_loss, selective_weights
from .magnify import magnify
from .model import DualView, SingleView, Teacher

__all__ = [
    "DualView",
    "SingleView",
    "Teacher",
    "asp_loss",
    "co_regularization_loss",
    "magnify",
    "multi_view_loss",
    "selective_weights",
]
