"""Finding folders and frames as researchers keep them: other case, other padding, other names, unzipped twice."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from .samples import CorpusMissing, Frames

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
DEPTH = 4  # levels below a corpus's folder in which its parts are looked for
CROWD = 100  # folders in one that are looked into; where there are more, they are clips
PROBED = 500  # folders below a likely one that are looked into for a file of the right kind
_NUMBER = re.compile(r"(\d+)\D*$")
_COPY = re.compile(r"\s*\(\d+\)(?=\.)")


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
        if os.path.isdir(self.folder) and os.access(self.folder, os.R_OK | os.X_OK):
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.startswith((".", "~$", "__MACOSX")):
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

    def clip(self, *steps: str | tuple[str, ...], alone: str) -> str:
        """The folder that the steps lead to or, where it is not there, the one that stands `alone` at the top."""
        folder = self.path(*steps)
        return folder if os.path.isdir(folder) else self.listing().find(alone) or folder


class Corpus:
    """A corpus's folder: `root` itself, or its child of one of the names; its parts are found by what they hold.

    `signs` are patterns of what the corpus's folder holds, by which `root` itself is known whatever its name. Folders
    named like `data` (subjects, clips) are found and not looked into, those named like `never` are passed over.
    `notes` gathers what was found elsewhere than where it is released. Raises CorpusMissing."""

    def __init__(
        self, root: str | os.PathLike, names: Iterable[str], *, signs: Iterable[str], data: str, never: str = "(?!)"
    ):
        self.names, self.data, self.never = list(names), re.compile(data, re.I), re.compile(never, re.I)
        self.notes: list[str] = []
        self._listings: dict[str, Listing] = {}
        top, wanted = os.path.abspath(root), {plain(name) for name in self.names}
        listing = self.listing(top)
        inside = [name for name in listing.directories() if plain(name) in wanted]
        known = any(re.fullmatch(sign, name, re.I) for sign in signs for name in listing.names)
        self.root, self.beside = top, None
        if plain(os.path.basename(top)) in wanted and listing.names:
            pass
        elif inside:
            self.root, self.beside = os.path.join(top, inside[0]), top
        elif not known:
            places = ", ".join(os.path.join(top, name) for name in self.names)
            raise CorpusMissing(f"{self.names[0]} not found; looked for {places}; {_held(listing)}")
        self.others = KNOWN - wanted

    def listing(self, folder: str) -> Listing:
        if folder not in self._listings:
            self._listings[folder] = Listing(folder)
        return self._listings[folder]

    def below(self) -> Iterator[Listing]:
        """The corpus's folder and those below it, the nearest first."""
        level = [self.root]
        for _ in range(DEPTH + 1):
            listings = [self.listing(folder) for folder in level]
            yield from listings
            level = [
                os.path.join(listing.folder, name)
                for listing in listings
                for name in [n for n in listing.directories() if self._entered(n)][:CROWD]
            ]

    def _entered(self, name: str) -> bool:
        return not (self.data.fullmatch(name) or self.never.fullmatch(name) or plain(name) in self.others)

    def find(
        self,
        *places: str,
        what: str = "images",
        holds: str = "",
        files: tuple[str, ...] = IMAGES,
        anywhere: bool = True,
        flat: bool = False,
    ) -> str | None:
        """The folder of some data: it holds folders named like `holds` (else like the corpus's data), and below them
        `files`, by their ends; where it is `flat`, files of these ends that are named so themselves.

        `places` are where it is released, the likeliest first, `.` being the corpus's folder: one counts, too, where
        its steps are parts of longer names, with others between them. With `anywhere` another place is better than
        none."""
        wanted = re.compile(holds, re.I) if holds else self.data
        steps = [[plain(step) for step in place.split("/") if step != "."] for place in places]
        found: list[tuple[int, int, str]] = []
        for listing in self.below():
            path = os.path.relpath(listing.folder, self.root)
            names = [] if path == "." else [plain(name) for name in path.split(os.sep)]
            rank = next((i for i, place in enumerate(steps) if _lies(names, place)), len(places))
            if rank < len(places) or anywhere:
                if flat:
                    there = any(wanted.fullmatch(os.path.splitext(name)[0]) for name in listing.files(*files))
                else:
                    named = (name for name in listing.directories() if wanted.fullmatch(name))
                    there = _holds([os.path.join(listing.folder, name) for name in named], files)
                if there:
                    found.append((rank, len(names), path))
        if not found:
            return None
        rank, _, path = min(found)
        if key(path) not in {key(place.replace("/", os.sep)) for place in places}:
            self.notes.append(f"{what} found at {self._place(path)}, expected {self._place(places[0])}")
        if twice := [other for r, _, other in sorted(found) if r == rank and other != path]:
            also = ", ".join(map(self._place, twice))
            self.notes.append(f"{what} of {self._place(path)} are read, not those of {also}")
        return self._place(path)

    def get(self, *places: str, **how) -> str:
        """`find`; where there is none a place that is there and empty, so that each clip is missed by its name.

        Raises CorpusMissing."""
        named = [place for place in places if place != "." and not how.get("flat")]
        empty = (listing.folder for listing in self.below() if os.path.relpath(listing.folder, self.root) in named)
        folder = self.find(*places, **how) or next(empty, None)
        if folder is None:
            raise self.missing(*places)
        return folder

    def missing(self, *places: str) -> CorpusMissing:
        """The error for a part that is not there: what was found instead, and what was expected."""
        names = ", ".join("the folders of the data themselves" if place == "." else place for place in places)
        return CorpusMissing(
            f"{self.root} holds none of {names} (looked for {DEPTH} folders down): "
            f"{_held(self.listing(self.root))}, expected data at {self._place(places[0])}; copy them from the release"
        )

    def files(self, *extensions: str) -> list[str]:
        """The files of these ends, nearest first; where the corpus's folder is one of several, those beside it last."""
        found = [os.path.join(listing.folder, n) for listing in self.below() for n in listing.files(*extensions)]
        if self.beside:
            found += [os.path.join(self.beside, name) for name in self.listing(self.beside).files(*extensions)]
        return found

    def _place(self, path: str) -> str:
        return self.root if path == "." else os.path.join(self.root, *path.split("/"))


KNOWN: set[str] = set()  # the plain names of all corpora: one is not looked for in the folder of another


def _lies(names: list[str], place: list[str]) -> bool:
    """Whether the steps of a place are, in their order, parts of names of a path."""
    rest = iter(names)
    return all(any(step in name for name in rest) for step in place)


def _holds(folders: list[str], files: tuple[str, ...]) -> bool:
    """Whether a file of one of the ends lies in the folders or below them."""
    seen = 0
    stack = list(reversed(folders))
    while stack and seen < PROBED:
        folder, seen = stack.pop(), seen + 1
        below = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(files):
                    return True
                if entry.is_dir():
                    below.append(entry.path)
        stack += sorted(below, reverse=True)
    return False


def _held(listing: Listing) -> str:
    """What a folder holds, in a few words."""
    names = listing.directories() or listing.names
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"found {', '.join(names[:8]) or 'nothing'}{more} at {listing.folder}"


def frames(folder: str, extensions: tuple[str, ...] = IMAGES) -> Frames:
    """The images of a folder by the last number in their names."""
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    return numbered(folder, (n for n in names if n.lower().endswith(extensions) and not n.startswith(".")))


def numbered(folder: str, names: Iterable[str]) -> Frames:
    """These images of a folder by the last number in their names; of two with one number the first by name."""
    found: dict[int, str] = {}
    twice: list[str] = []
    names = sorted(names, reverse=True)
    for name in names:
        original = _COPY.sub("", name) if "(" in name else name  # `46 (1).jpg` beside `46.jpg` is a second frame 46
        stem = original if original in names else name
        number = _NUMBER.search(stem, 0, stem.rindex("."))
        if number:
            if (other := found.get(int(number[1]))) is not None:
                twice.append(f"{name} and {other}")
            found[int(number[1])] = name
    numbers = tuple(sorted(found))
    return Frames(folder, tuple(found[number] for number in numbers), numbers, twice=tuple(reversed(twice)))
