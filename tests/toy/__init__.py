"""A paper of nothing, for the tests of shared: a network of a few hundred parameters on 8×8 images, in seconds."""

from .train import Net

__all__ = ["Net"]
