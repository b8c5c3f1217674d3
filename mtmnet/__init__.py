"""Learning from Macro-expression: a micro-expression recognition framework, MTMNet (Xia et al., ACM MM 2020)."""

from .losses import adversarial_losses, eid_losses, lir_loss, mtm_losses, triplet_loss
from .model import Discriminator, EIDNet, MTMNet, oppose

hub = EIDNet  # what torch.hub.load makes, see hubconf.py

__all__ = [
    "Discriminator",
    "EIDNet",
    "MTMNet",
    "adversarial_losses",
    "eid_losses",
    "lir_loss",
    "mtm_losses",
    "oppose",
    "triplet_loss",
]
