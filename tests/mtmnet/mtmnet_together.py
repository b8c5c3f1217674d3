"""python -m mtmnet_together FOLDER: steps of a MacroNet whose batches several processes share."""

import os
import sys
from dataclasses import replace

import torch

from mtmnet.config import SMOKE, Config
from mtmnet.model import EIDNet
from mtmnet.stages import Disentangling
from shared.runs.parallel import Alone, make_accelerator, synchronised

MODES = ({}, {"reversal": True}, {"pretrain": "classification"})


def steps(mode: dict, accelerator, rank: int = 0) -> dict[str, torch.Tensor]:
    """A MacroNet's weights after three steps of this process's share of batches of 8, in float64."""
    torch.manual_seed(0)
    net = synchronised(EIDNet(3, 4, width=4).double(), accelerator.num_processes).train()
    game = Disentangling(net, replace(Config(**SMOKE), **mode), accelerator)
    for _ in range(3):
        x_N, x_E = torch.rand(2, 8, 3, 64, 64, dtype=torch.double)
        y, s = torch.randint(0, 3, (8,)), torch.randint(0, 4, (8,))
        share = slice(rank * 8 // accelerator.num_processes, (rank + 1) * 8 // accelerator.num_processes)
        game.step(x_N[share], x_E[share], y[share], s[share])
    return net.state_dict()


def alone(mode: dict) -> dict[str, torch.Tensor]:
    return steps(mode, Alone(torch.device("cpu")))


if __name__ == "__main__":
    accelerator = make_accelerator()
    results = [steps(mode, accelerator, accelerator.process_index) for mode in MODES]
    torch.save(results, f"{sys.argv[1]}/rank{os.environ['RANK']}.pt")
    accelerator.end_training()
