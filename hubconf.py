"""The five networks for torch.hub: by their own arguments, or as a run has left them, with weights=PATH.

torch.hub.load(REPOSITORY, "ma2mi", classes=5)
torch.hub.load(REPOSITORY, "ma2mi", weights="runs/…/CASME2_sub01.safetensors")
"""

from importlib import import_module

dependencies = ["torch", "torchvision", "safetensors"]


def dvasp(weights=None, **arguments):
    """DualView(N, depth=18, width=64): the student; images (B, 3, H, W) in 0..1 -> `fused` logits (B, N, 2) and more.

    Magnified ones, `dvasp.prepare(onset, apex, **net.input)`; the network normalises them itself.
    """
    return _network("dvasp", "DualView", weights, arguments)


def skd_tstsan(weights=None, **arguments):
    """SKD_TSTSAN(classes=5, domains=2, …): (B, 34 + 2 domains, 48, 48) -> logits and features of its classifiers."""
    return _network("skd_tstsan", "SKD_TSTSAN", weights, arguments)


def mtmnet(weights=None, **arguments):
    """EIDNet(classes, subjects, width=64, magnify=1.0), MTMNet's MicroNet: `classify` takes expression images
    (B, 3, H, W) in [0, 1] and, where it magnifies, the neutral ones."""
    return _network("mtmnet", "EIDNet", weights, arguments)


def sca_au(weights=None, **arguments):
    """SCANetwork(M, depth=18, …): RGB clips (B, 3, T, H, W) in [0, 1] -> logits (B, M) of M action units."""
    return _network("sca_au", "SCANetwork", weights, arguments)


def ma2mi(weights=None, **arguments):
    """MIACNet(classes, width=64, …): onset and apex (B, 3, H, W) in [-1, 1] -> logits (B, classes)."""
    return _network("ma2mi", "MIACNet", weights, arguments)


def _network(package: str, name: str, weights, arguments: dict):
    if weights is None:
        return getattr(import_module(package), name)(**arguments)
    if arguments:
        raise TypeError(f"weights bring their network's own arguments; leave {', '.join(arguments)} out")
    return import_module("shared.runs.weights").network(weights, package)[0]
