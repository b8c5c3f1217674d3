"""Finding a corpus's folders and frames as researchers keep them: under other names, padded, or unzipped twice."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import MARKER, SIGN
from .samples import CorpusMissing, Frames

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
DEPTH = 4  # levels below a corpus's folder in which its parts are looked for
CROWD = 100  # subfolders of one folder that are searched; where there are more, they are clips
PROBED = 500  # folders below a likely one that are searched for a file of the right kind
# Corpus → the names that its folder may have. One corpus is not looked for in the folder of another.
FOLDER_NAMES = {
    "CASME": ("CASME", "CASME I", "CASME1"),
    "CASME2": ("CASME2", "CASME II", "CASME-2"),
    "SAMM": ("SAMM",),
    "SMIC": ("SMIC",),
    "MMEW": ("MMEW", "MMEW_Final"),
    "CASME3": ("CASME3", "CAS(ME)3", "CASME III"),
    "CK+": ("CK+", "CKplus", "CK", "Cohn-Kanade"),
    "MMI": ("MMI", "MMI Facial Expression Database", "MMI Database", "MMI-DB"),
    "Oulu-CASIA": ("Oulu-CASIA", "Oulu_CASIA_NIR_VIS", "Oulu"),
    "DFEW": ("DFEW",),
    "FERV39k": ("FERV39k",),
    "AFEW": ("AFEW",),
    "EmotioNet": ("EmotioNet",),
}
Root = str | os.PathLike[str]  # the folder of a corpus, or the one that holds it
_NUMBER = re.compile(r"(\d{1,18})\D*$")
_COPY = re.compile(r"\s*\(\d+\)(?=\.)")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def unpadded(name: str) -> str:
    """A name without case and without padding: `Sub01` and `sub1` agree, `sub101` and `sub11` do not."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.lower())


def normalised(name: str) -> str:
    """A name without case, blanks and signs but `+`: `CK +` and `ck+` agree.

    `(me)` stays: CAS(ME)² is another corpus than CASME II."""
    return re.sub(r"[^a-z0-9+]", "", name.lower().replace("(me)", "+me"))


def is_synthetic(data: Path) -> bool:
    """Whether a folder of corpora, or a corpus, holds synthetic faces. Raises UserError where it holds both kinds."""
    data = data.absolute()
    if any(path.exists() for path in (data / MARKER, data.parent / MARKER, data / SIGN)):
        return True
    signs = [*data.glob(f"*/{SIGN}"), *data.glob(f"*/*/{SIGN}")]  # the second of a corpus in a folder of its name
    signed = sorted({path.relative_to(data).parts[0] for path in signs})
    known = {normalised(name) for names in FOLDER_NAMES.values() for name in names}
    real = sorted(p.name for p in data.glob("*/") if normalised(p.name) in known and p.name not in signed)
    if signed and real:
        raise UserError(
            f"{data}: {', '.join(signed)} of synthetic faces beside {', '.join(real)}, which is not marked so; keep "
            "them in folders of their own"
        )
    return bool(signed)


class Listing:
    """The entries of one folder, found by their name, or by one that differs in case or padding."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names: list[str] = []
        self._directories: set[str] = set()
        if os.path.isdir(self.folder) and os.access(self.folder, os.R_OK | os.X_OK):
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.startswith((".", "~$", "__MACOSX")):
                        self.names.append(entry.name)
                        if _is_folder(entry):
                            self._directories.add(entry.name)
        self.names.sort()
        self._exact = set(self.names)

    @cached_property
    def _near(self) -> dict[str, str]:
        return {unpadded(name): name for name in reversed(self.names)}

    def find(self, *names: str) -> str | None:
        """The path of the first of the names that is here."""
        for name in names:
            if name in self._exact:
                return os.path.join(self.folder, name)
        for name in names:
            if unpadded(name) in self._near:
                return os.path.join(self.folder, self._near[unpadded(name)])
        return None

    def path(self, *names: str) -> str:
        """The path of the first of the names that is here, or where the first of them would be."""
        return self.find(*names) or os.path.join(self.folder, names[0])

    def directories(self) -> list[str]:
        """The names of the subfolders."""
        return [name for name in self.names if name in self._directories]

    def files(self, *extensions: str) -> list[str]:
        """The names of the files with these endings."""
        return [n for n in self.names if n not in self._directories and n.lower().endswith(extensions)]


class Tree:
    """A folder and what lies below it; `listed` gives the entries of each folder."""

    def __init__(self, folder: str, listed: Callable[[str], Listing]) -> None:
        self.folder, self._listed = folder, listed

    def listing(self, *steps: str | tuple[str, ...]) -> Listing:
        """The entries of the folder that `path` finds."""
        return self._listed(self.path(*steps))

    def path(self, *steps: str | tuple[str, ...]) -> str:
        """The path down these steps, each a name or alternatives; where one is missing, where the first would be."""
        if not steps:
            return self.folder
        names = (steps[-1],) if isinstance(steps[-1], str) else steps[-1]
        return self.listing(*steps[:-1]).path(*names)

    def clip(self, *steps: str | tuple[str, ...], alone: str) -> str:
        """The folder that the steps lead to or, where there is none, the one that stands `alone` at the top."""
        folder = self.path(*steps)
        return folder if os.path.isdir(folder) else self.listing().find(alone) or folder


class CorpusFolder:
    """The folder of a corpus: `root` itself, or its child of one of FOLDER_NAMES; its parts are found by content.

    `signs` are patterns of entries by which `root` itself is known, whatever its name. Folders named like `data`
    (subjects, clips) are found but not searched, those named like `never` are skipped. `notes` gathers what was found
    elsewhere than where it is released. Raises CorpusMissing."""

    def __init__(self, root: Root, corpus: str, *, signs: Iterable[str], data: str, never: str = "(?!)") -> None:
        self.corpus, self.data, self.never = corpus, re.compile(data, re.I), re.compile(never, re.I)
        self.notes: list[str] = []
        self.listing: Callable[[str], Listing] = cache(Listing)  # the entries of a folder, each listed once
        own = {normalised(name) for name in FOLDER_NAMES[corpus]}
        self._others = {normalised(name) for names in FOLDER_NAMES.values() for name in names} - own
        self.root, self.beside = os.path.abspath(root), ""  # `beside`: the folder that holds this one and others
        listing = self.listing(self.root)
        inside = [name for name in listing.directories() if normalised(name) in own]
        inside.sort(key=lambda name: name not in FOLDER_NAMES[corpus])  # a usual spelling before others
        known = any(re.fullmatch(sign, name, re.I) for sign in signs for name in listing.names)
        if normalised(os.path.basename(self.root)) in own and listing.names:
            return
        if inside:
            if others := ", ".join(inside[1:]):
                self.notes.append(f"{inside[0]} is read, not {others} beside it")
            self.root, self.beside = os.path.join(self.root, inside[0]), self.root
        elif not known:
            places = ", ".join(os.path.join(self.root, name) for name in FOLDER_NAMES[corpus])
            raise CorpusMissing(f"{corpus} not found; looked for {places}; {_found(listing)}")

    def below(self) -> Iterator[Listing]:
        """The corpus's folder and those below it, the nearest first."""
        level = [self.root]
        for _ in range(DEPTH + 1):
            listings = [self.listing(folder) for folder in level]
            yield from listings
            level = [
                os.path.join(listing.folder, name)
                for listing in listings
                for name in [n for n in listing.directories() if self._searched(n)][:CROWD]
            ]

    def _searched(self, name: str) -> bool:
        return not (self.data.fullmatch(name) or self.never.fullmatch(name) or normalised(name) in self._others)

    def find(
        self,
        *places: str,
        what: str = "images",
        holds: str = "",
        files: tuple[str, ...] = IMAGES,
        anywhere: bool = True,
        flat: bool = False,
    ) -> Tree | None:
        """The folder of some data: its subfolders are named like `holds` (default: `data`) and contain `files`, given
        by their endings; with `flat` it contains such files that are named like `holds` themselves.

        `places` are where the data is released, the likeliest first, `.` being the corpus's folder. A place also counts
        where its steps are parts of longer names, with others between them; with `anywhere` any other place does."""
        wanted = re.compile(holds, re.I) if holds else self.data
        steps = [[normalised(step) for step in place.split("/") if step != "."] for place in places]
        found: list[tuple[int, int, str]] = []
        for listing in self.below():
            path = os.path.relpath(listing.folder, self.root)
            names = [] if path == "." else [normalised(name) for name in path.split("/")]
            rank = next((i for i, place in enumerate(steps) if _leads(names, place)), len(places))
            if rank == len(places) and not anywhere:
                continue
            if flat:
                there = any(wanted.fullmatch(os.path.splitext(name)[0]) for name in listing.files(*files))
            else:
                named = (name for name in listing.directories() if wanted.fullmatch(name))
                there = _contain([os.path.join(listing.folder, name) for name in named], files)
            if there:
                found.append((rank, len(names), path))
        if not found:
            return None
        rank, _, path = min(found)
        if unpadded(path) not in {unpadded(place) for place in places}:
            self.notes.append(f"{what} found at {self._place(path)}, expected {self._place(places[0])}")
        if twice := [other for r, _, other in sorted(found) if r == rank and other != path]:
            also = ", ".join(map(self._place, twice))
            self.notes.append(f"{what} of {self._place(path)} are read, not those of {also}")
        return Tree(self._place(path), self.listing)

    def get(self, *places: str, flat: bool = False, **how: Any) -> Tree:
        """`find`; without a result a place that exists and is empty, so that each missing clip is named.

        Raises CorpusMissing."""
        found = self.find(*places, flat=flat, **how)
        if found is None and not flat:
            empty = (listing.folder for listing in self.below() if os.path.relpath(listing.folder, self.root) in places)
            found = next((Tree(folder, self.listing) for folder in empty if folder != self.root), None)
        if found is None:
            raise self.missing(*places)
        return found

    def missing(self, *places: str) -> CorpusMissing:
        """The error for a missing part: what was found instead, and what was expected."""
        names = ", ".join("the folders of the data themselves" if place == "." else place for place in places)
        return CorpusMissing(
            f"{self.root} holds none of {names} (looked for {DEPTH} folders down): "
            f"{_found(self.listing(self.root))}, expected data at {self._place(places[0])}; copy them from the release"
        )

    def files(self, *extensions: str) -> list[str]:
        """The files with these endings, nearest first; last those beside the corpus's folder, if it has siblings."""
        listings = [*self.below(), *([self.listing(self.beside)] if self.beside else [])]
        return [os.path.join(listing.folder, name) for listing in listings for name in listing.files(*extensions)]

    def _place(self, path: str) -> str:
        return self.root if path == "." else os.path.join(self.root, path)


def _leads(names: list[str], place: list[str]) -> bool:
    """Whether the steps of a place are, in their order, parts of the names of a path."""
    rest = iter(names)
    return all(any(step in name for name in rest) for step in place)


def _contain(folders: list[str], files: tuple[str, ...]) -> bool:
    """Whether a file with one of the endings lies in the folders or below them."""
    seen = 0
    stack = list(reversed(folders))
    while stack and seen < PROBED:
        folder, seen = stack.pop(), seen + 1
        below = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(files):
                    return True
                if _is_folder(entry):
                    below.append(entry.path)
        stack += sorted(below, reverse=True)
    return False


def _found(listing: Listing) -> str:
    """The entries of a folder in a few words."""
    names = listing.directories() or listing.names
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"found {', '.join(names[:8]) or 'nothing'}{more} at {listing.folder}"


def list_frames(folder: str, names: Iterable[str] | None = None) -> Frames:
    """The images of a folder (or those of these names) by the last number in their names.

    Of two with the same number the first by name is taken."""
    if names is None:
        there = os.listdir(folder) if os.path.isdir(folder) else []
        names = [name for name in there if name.lower().endswith(IMAGES) and not name.startswith(".")]
    found: dict[int, str] = {}
    twice: list[str] = []
    names = sorted(names, reverse=True)
    for name in names:
        original = _COPY.sub("", name) if "(" in name else name  # `46 (1).jpg` beside `46.jpg` is a second frame 46
        stem = original if original in names else name
        if match := _NUMBER.search(stem, 0, stem.rindex(".")):
            number = int(match[1])
            if number in found:
                twice.append(f"{name} and {found[number]}")
            found[number] = name
    numbers = tuple(sorted(found))
    return Frames(folder, tuple(found[number] for number in numbers), numbers, twice=tuple(reversed(twice)))
