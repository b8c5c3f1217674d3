"""The networks for torch.hub, one for each paper: with arguments of their own, or as a run has left them.

torch.hub.load(REPOSITORY, "ma2mi", classes=5)
torch.hub.load(REPOSITORY, "ma2mi", weights="runs/…/CASME2_sub01.safetensors")
"""

import collections.abc  # modules, not their names: torch.hub.list names every callable of this file
import importlib
import pathlib
import typing

from torch import nn

dependencies = ["torch", "torchvision", "safetensors"]


def _entry(package: str) -> collections.abc.Callable[..., nn.Module]:
    """The entry point of a paper: it makes the network that the package calls `hub`."""
    network: type[nn.Module] = importlib.import_module(package).hub

    def entry(weights: str | None = None, **arguments: typing.Any) -> nn.Module:
        if weights is None:
            return network(**arguments)
        if arguments:
            raise TypeError(f"weights bring their network's own arguments; leave {', '.join(arguments)} out")
        net: nn.Module = importlib.import_module("shared.runs.weights").load_network(weights, package)[0]
        return net

    entry.__name__ = entry.__qualname__ = package
    entry.__doc__ = f"{network.__name__}: {network.__doc__}"
    return entry


for _path in sorted(pathlib.Path(__file__).parent.glob("*/experiments.py")):
    globals()[_path.parent.name] = _entry(_path.parent.name)
