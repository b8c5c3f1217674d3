"""Signals that ask a run to stop: SIGTERM, and SIGUSR1, the warning of a cluster before it ends a job."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
AGAIN = 5.0  # seconds; `timeout` signals the command, and then its whole group, so that the command is signalled twice
_asked: list[int] = []  # the signals that came while steps were to be finished
_came: list[float] = []  # when the last signal came that counts
_finishing: list[bool] = []


def watch_signals() -> None:
    """Raise Stopped in the main thread when one of SIGNALS comes; within `finishing_steps`, only note it.

    Those of the next AGAIN seconds are dropped: they would interrupt what the first one has to end.
    """
    _asked.clear()
    _came.clear()
    for number in SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _came and now - _came[-1] < AGAIN:
        return
    _came.append(now)
    if not _finishing:
        raise Stopped(number)
    _asked.append(number)


@contextmanager
def finishing_steps() -> Iterator[Callable[[], int]]:
    """Within, a signal waits for the end of a step: gives a function that returns the signal that came, or 0."""
    _finishing.append(True)
    try:
        yield lambda: _asked[-1] if _asked else 0
    finally:
        _finishing.pop()


def end_by(number: int) -> None:
    """End this process by a signal, so that a script that started it stops as well."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
