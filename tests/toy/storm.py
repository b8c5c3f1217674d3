"""python -m toy.storm SEED TIMES ARGUMENT…: two processes of the toy, killed TIMES times at random moments.

The processes are forked from this one, which has everything imported: a start then costs what the toy costs. Every
second time one of them is killed first and the other a little later, as a launcher would do it.
"""

import os
import random
import signal
import socket
import sys
import time

from shared.main import main
from shared.parallel import PARENT

from .experiments import PAPER


def start(arguments: list[str]) -> list[int]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    children = []
    for rank in "01":
        child = os.fork()
        if child == 0:
            os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", PARENT: str(os.getppid())}
            os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": port}
            try:
                main(PAPER, arguments)
            except SystemExit as ended:
                os._exit(ended.code)
            os._exit(1)
        children.append(child)
    return children


def storm(seed: int, times: int, arguments: list[str], whole: float) -> int:
    """How many of the kills met a process that was still running; `whole`: seconds that a run lasts undisturbed."""
    draw, met = random.Random(seed), 0
    for attempt in range(times):
        children = start(arguments)
        time.sleep(draw.uniform(0.02, 1) * whole)
        for child in draw.sample(children, 2):
            os.kill(child, signal.SIGKILL)
            if attempt % 2:
                time.sleep(draw.uniform(0, 0.1) * whole)
        met += any(os.WIFSIGNALED(os.waitpid(child, 0)[1]) for child in children)
    return met


if __name__ == "__main__":
    seed, times, out, *rest = sys.argv[1:]
    clock = time.monotonic()
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in start([*rest, "--out", f"{out}-quiet"])]
    whole = time.monotonic() - clock
    met = storm(int(seed), int(times), [*rest, "--out", out], whole)
    codes += [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in start([*rest, "--out", out])]
    print(met, *codes)
