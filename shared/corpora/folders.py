"""Finding folders and frames as researchers keep them: other case, other padding, other common names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from .table import CorpusMissing, Frames

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
_NUMBER = re.compile(r"(\d+)\D*$")


def key(name: str) -> str:
    """A name without case and without padding: `Sub01` and `sub1` agree."""
    return re.sub(r"0+(?=\d)", "", name.lower())


def plain(name: str) -> str:
    """A name without case, blanks and signs but `+`: `CAS(ME)^3` and `casme3` agree."""
    return re.sub(r"[^a-z0-9+]", "", name.lower())


class Listing:
    """The entries of one folder, found by their name, or by one that differs in case or padding."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = os.fspath(folder)
        self.names: list[str] = []
        self._directories: set[str] = set()
        if os.path.isdir(self.folder):
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.startswith((".", "~$")):
                        self.names.append(entry.name)
                        if entry.is_dir():
                            self._directories.add(entry.name)
        self.names.sort()
        self._exact = set(self.names)
        self._near: dict[str, str] | None = None

    def find(self, *names: str) -> str | None:
        """The path of the first of the names that is here."""
        for name in names:
            if name in self._exact:
                return os.path.join(self.folder, name)
        if self._near is None:
            self._near = {key(name): name for name in reversed(self.names)}
        for name in names:
            if key(name) in self._near:
                return os.path.join(self.folder, self._near[key(name)])
        return None

    def path(self, *names: str) -> str:
        """The path of the first of the names that is here, or where the first of them would be."""
        return self.find(*names) or os.path.join(self.folder, names[0])

    def directories(self) -> list[str]:
        return [name for name in self.names if name in self._directories]

    def files(self, *extensions: str) -> list[str]:
        return [n for n in self.names if n not in self._directories and n.lower().endswith(extensions)]


class Tree:
    """A folder and what lies below it; each folder is listed once."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = os.fspath(folder)
        self._listings: dict[str, Listing] = {}

    def listing(self, *steps: str | tuple[str, ...]) -> Listing:
        folder = self.path(*steps)
        if folder not in self._listings:
            self._listings[folder] = Listing(folder)
        return self._listings[folder]

    def path(self, *steps: str | tuple[str, ...]) -> str:
        """Follows steps down, each a name or alternatives; where one is missing, where the first of them would be."""
        if not steps:
            return self.folder
        names = (steps[-1],) if isinstance(steps[-1], str) else steps[-1]
        return self.listing(*steps[:-1]).path(*names)


def descend(folder: str, *steps: str | Iterable[str]) -> str | None:
    """Follows steps (each a name or several alternatives) down from a folder; None where one is missing."""
    for step in steps:
        folder = Listing(folder).find(*([step] if isinstance(step, str) else step))
        if folder is None:
            return None
    return folder


def inside(root: str, *paths: str) -> str:
    """The first of the paths below a corpus folder that is there. Raises CorpusMissing with all of them."""
    for path in paths:
        found = descend(root, *path.split("/"))
        if found:
            return found
    raise CorpusMissing(f"{root} holds none of {', '.join(paths)}; copy the images there from the release")


def find_corpus(root: str | os.PathLike, names: Iterable[str], holds: Iterable[str]) -> str:
    """The corpus folder: `root` itself, or its child of one of the names. Raises CorpusMissing.

    `holds` are patterns of what the corpus folder holds, by which `root` itself is known whatever its name."""
    root, names = os.path.abspath(root), list(names)
    wanted = {plain(name) for name in names}
    listing = Listing(root)
    for name in listing.directories():
        if plain(name) in wanted:
            return os.path.join(root, name)
    known = any(re.fullmatch(pattern, name, re.IGNORECASE) for pattern in holds for name in listing.names)
    if known or (plain(os.path.basename(root)) in wanted and listing.names):
        return root
    raise CorpusMissing(f"{names[0]} not found; looked for {', '.join(os.path.join(root, name) for name in names)}")


def frames(folder: str, extensions: tuple[str, ...] = IMAGES) -> Frames:
    """The images of a folder by the last number in their names."""
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    return numbered(folder, (n for n in names if n.lower().endswith(extensions) and not n.startswith(".")))


def numbered(folder: str, names: Iterable[str]) -> Frames:
    """These images of a folder by the last number in their names; of two with one number the first by name."""
    found: dict[int, str] = {}
    for name in sorted(names, reverse=True):
        number = _NUMBER.search(name, 0, name.rindex("."))
        if number:
            found[int(number[1])] = name
    numbers = tuple(sorted(found))
    return Frames(folder, tuple(found[number] for number in numbers), numbers)
