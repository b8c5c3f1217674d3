"""Compiled networks: one a process, into which the weights of every fold are copied, since compiling takes minutes."""

from typing import TypeVar

import torch
from torch import nn

N = TypeVar("N", bound=nn.Module)
_last: dict[str, nn.Module] = {}  # the network that `compiled_once` has compiled last, by its description


def compiled(network: N) -> N:
    """The network, its forward passes in training compiled, on a GPU to CUDA graphs; those in eval mode are not.

    A CUDA graph overwrites its outputs when it runs again: scores of several batches would not survive.
    """
    if "forward" not in vars(network):
        mode = "reduce-overhead" if next(network.parameters()).is_cuda else None
        plain, fast = network.forward, torch.compile(network.forward, mode=mode)
        vars(network)["forward"] = lambda *x, **how: (fast if network.training else plain)(*x, **how)
    return network


def compiled_once(network: N, description: str) -> N:
    """The network of the last call with this description, with the weights of `network`; else `network`, compiled.

    Weights are copied in place, where the CUDA graphs read them.
    """
    last = _last.get(description)
    if last is None:
        _last.clear()
        return _last.setdefault(description, compiled(network))  # type: ignore[return-value]
    last.train().load_state_dict(network.state_dict())
    for mine, new in zip(last.parameters(), network.parameters(), strict=True):
        mine.requires_grad_(new.requires_grad).grad = None
    return last  # type: ignore[return-value]
