"""What the person at the keyboard can mend: said in plain words, without a traceback, with exit code 2."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the input or the surroundings; `str(error)` says what was expected and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    by_folded = {k.casefold(): k for k in known}
    near = [by_folded[n] for n in difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.4)]
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(known)}"
    return UserError(f"unknown {kind} '{name}' ({hint})")
