"""python -m toy.together FOLDER: a batch shared unevenly by two processes, through batch norms that see all of it."""

import os
import sys

import torch
from torch import nn

from shared.runs.parallel import AcrossProcesses, synchronised


def batch(dims: int) -> torch.Tensor:
    """(10, 3, …) float64 with a mean far from 0."""
    shape = (10, 3, *(4, 5, 2)[:dims])
    return 1e3 + torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(dims))


def norm(dims: int, **how) -> nn.Module:
    norm = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims](3, **how).double()
    with torch.no_grad():
        for i, parameter in enumerate(norm.parameters()):
            parameter.copy_(torch.tensor([0.5, 1.5, -2.0]) + i)
    return norm


def through(norm: nn.Module, x: torch.Tensor, share: slice) -> dict:
    """What comes out and back of this process's share under the loss Σ cos(k y), k counting all of the batch."""
    x = x[share].clone().requires_grad_()
    weights = torch.arange(x[0].numel() * 10, dtype=torch.float64).view(10, *x.shape[1:])[share]
    y = norm(x)
    (weights.cos() * y.square()).sum().backward()
    gradients = [p.grad for p in norm.parameters()]
    return {"y": y.detach(), "dx": x.grad, "parameters": gradients, "state": dict(norm.state_dict())}


CASES = [(0, {}), (1, {}), (2, {}), (2, {"momentum": 0.3, "eps": 1e-2}), (3, {"affine": False})]

if __name__ == "__main__":
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group("gloo")
    share = (slice(0, 4), slice(4, 10))[rank]
    results = []
    for dims, how in CASES:
        net = synchronised(nn.Sequential(nn.Sequential(norm(dims, **how), nn.ReLU())), 2)
        assert isinstance(net[0][0], AcrossProcesses)
        results.append(through(net[0][0], batch(dims), share))
    single = synchronised(nn.Sequential(nn.BatchNorm2d(3)), 2)
    float32 = single(batch(2)[share].float()).detach()
    torch.save({"cases": results, "float32": float32}, f"{sys.argv[1]}/rank{rank}.pt")
    torch.distributed.destroy_process_group()
