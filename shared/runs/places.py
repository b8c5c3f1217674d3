"""Places for folds on a device: how many processes of this machine may train one there at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from ..errors import log
from ..files import locked, write_text

PLACES = "MER_PLACES"  # the folder of the places, for processes launched for folds; "" for those launched to pre-train
MOST = 8  # places on a GPU, unless --folds-per-gpu asks for more


class Places:
    """The places on one device: locks in a folder that processes share, so that one that dies gives up its place.

    Their number lies in a file. "1 first" is that of a GPU until its first fold has shown how much memory one takes.
    """

    def __init__(self, folder: Path, device: int = 0) -> None:
        self.folder, self.device = folder, device
        self.path = folder / f"{device}.number"

    def open(self, number: int | None) -> "Places":
        """Make `number` places; without one, as many as the device's memory will allow."""
        write_text(self.path, str(number) if number else "1 first")
        return self

    @property
    def number(self) -> int:
        return int(self.path.read_text().split()[0])

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Within, one of the places is this process's; false where none is free."""
        with ExitStack() as held:
            for i in range(self.number):
                try:
                    held.enter_context(locked(self.folder / f"{self.device}-{i}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
                except BlockingIOError:
                    continue
                yield True
                return
            yield False

    def settle(self) -> None:
        """After the first fold on a GPU, allow as many at a time as find room beside it, at most MOST."""
        with locked(self.folder / f"{self.device}.lock"):
            if not self.path.read_text().endswith("first"):
                return
            free, total = torch.cuda.mem_get_info()
            number = min(1 + int(0.95 * free / max(total - free, 1)), MOST)
            write_text(self.path, str(number))
        taken = f"{(total - free) / 2**30:.1f} of {total / 2**30:.1f} GiB"
        log(f"GPU {self.device}: a fold took {taken}; {number} at a time (--folds-per-gpu)")

    def lower(self, reason: str) -> bool:
        """Close a place; false where there is only one."""
        with locked(self.folder / f"{self.device}.lock"):
            if (number := self.number - 1) < 1:
                return False
            write_text(self.path, str(number))
        log(f"{reason}; going on with {number} folds at a time")
        return True


def own_places() -> tuple[Places, torch.device]:
    """The places and the device of this process, one of those launched for folds: they take the devices in turn."""
    folder = Path(os.environ[PLACES])
    index = int(os.environ["LOCAL_RANK"]) % len(list(folder.glob("*.number")))
    return Places(folder, index), torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")
