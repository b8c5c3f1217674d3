"""python -m toy.hungry MARKER HOW ARGUMENTS: the toy, whose first fold to come makes the file MARKER and fails.

HOW: by SIGKILL, as where the system runs out of memory, "killed"; by an error of a GPU's memory, "full".
"""

import os
import signal
import sys
from dataclasses import replace

import torch

from shared.cli import main

from .experiments import PAPER


def train(training) -> None:
    try:
        open(sys.argv[1], "x").close()
    except FileExistsError:
        return PAPER.train(training)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise torch.OutOfMemoryError("CUDA out of memory")


if __name__ == "__main__":
    main(replace(PAPER, train=train), sys.argv[3:])
