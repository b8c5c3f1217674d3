"""Methods that Table 3 compares SKD-TSTSAN with: a file each, which needs torch and torchvision alone."""

from .capsulenet import CapsuleNet, capsule_loss
from .mmnet import MMNet
from .ststnet import STSTNet

__all__ = ["CapsuleNet", "MMNet", "STSTNet", "capsule_loss"]
