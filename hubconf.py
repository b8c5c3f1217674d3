"""The networks for torch.hub, of papers, pre-trainings and baselines: with arguments, or as a run has left them.

A network with weights knows its input: `net.about["input"]`.

torch.hub.load(REPOSITORY, "ma2mi", classes=5)
torch.hub.load(REPOSITORY, "ma2mi", weights="runs/…/CASME2_sub01.safetensors")
"""

import collections.abc  # modules, not their names: torch.hub.list names every callable of this file
import importlib
import pathlib
import typing

from torch import nn

dependencies = ["torch", "torchvision", "safetensors", "numpy", "einops", "tqdm"]


def _entry(name: str, package: str, network: type[nn.Module]) -> collections.abc.Callable[..., nn.Module]:
    """The entry point `name`: it makes a network that the package exports."""

    def entry(weights: str | None = None, **arguments: typing.Any) -> nn.Module:
        if weights is None:
            return network(**arguments)
        if arguments:
            raise TypeError(f"weights bring their network's own arguments; leave {', '.join(arguments)} out")
        net: nn.Module = importlib.import_module("shared.runs.weights").load_network(weights, package)[0]
        if not isinstance(net, network):
            raise TypeError(f"{weights} holds a {type(net).__name__}, not a {network.__name__}")
        return net

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = f"{network.__name__}: {network.__doc__}"
    return entry


for _path in sorted(pathlib.Path(__file__).parent.glob("*/experiments.py")):
    _package = importlib.import_module(_path.parent.name)
    _networks = {_package.__name__: _package.hub, **getattr(_package, "hub_others", {})}
    globals().update({_name: _entry(_name, _package.__name__, _network) for _name, _network in _networks.items()})
