"""Messages to the user: errors that they can fix, reported without a traceback, and lines of progress."""

import difflib
import sys
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the input or the environment; `str(error)` says what was expected and what to do."""


class Stopped(BaseException):
    """A signal has asked this process to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    by_folded = {k.casefold(): k for k in known}
    near = [by_folded[n] for n in difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.4)]
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(known)}"
    return UserError(f"unknown {kind} '{name}' ({hint})")


def pip_install(*packages: str) -> str:
    """The command that installs packages where this Python looks for them, which may be no active environment."""
    return f"{sys.executable} -m pip install {' '.join(packages)}"


def log(line: str) -> None:
    """Write one line of progress to standard error: results alone go to standard output."""
    from tqdm import tqdm  # not at the top: reproduce.sh checks arguments with the standard library alone

    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()
