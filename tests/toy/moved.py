"""python -m toy.moved FOLDER AWAY ARGUMENTS: the toy, whose processes are launched just after FOLDER was moved AWAY."""

import os
import sys

from shared import reproduce
from shared.cli import main

launch = reproduce.launch


def after_moving(*arguments, **how) -> int:
    os.rename(*sys.argv[1:3])
    return launch(*arguments, **how)


if __name__ == "__main__":
    reproduce.launch = after_moving
    main("toy", sys.argv[3:])
