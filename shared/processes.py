"""Processes that end with the one that started them."""

import ctypes
import os
import signal
import sys
from typing import Any


def die_with_parent(*_: object) -> None:
    """Let Linux kill this process as soon as the one that started it is gone.

    Called between fork and exec, and by the processes of a loader, which themselves look only every five seconds.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)


def _start_loader(*_: object) -> None:
    """A loader's process leaves SIGTERM, which may come to the whole group, to the one that started it."""
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def loaders(number: int) -> dict[str, Any]:
    """The arguments of a DataLoader that loads in `number` processes; 0: in this one.

    They are forked whatever Python does by default (from 3.14 on, another way), and end with this one.
    """
    context = "fork" if number else None
    return {"num_workers": number, "multiprocessing_context": context, "worker_init_fn": _start_loader}
