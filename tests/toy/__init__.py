"""A paper of nothing, for the tests of shared: a network of a few hundred parameters on 8×8 images, in seconds."""

from .model import Net

hub = Net  # what torch.hub.load makes, see hubconf.py

__all__ = ["Net"]
