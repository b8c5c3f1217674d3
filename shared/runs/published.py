"""Files of others that networks can start from: where each is published, how it is known, and fetching it."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tqdm import tqdm

from ..errors import UserError
from ..files import chunks, locked, replacing, sweep


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file of others; a Config starts from it under `setting`. Links are as published, and were not tried."""

    name: str  # in the folder of --weights
    what: str
    source: str  # the page that leads to it
    url: str = ""  # a direct link, where there is one
    licence: str
    size: int | None = None  # bytes
    sha256: str = ""  # or its first digits
    git_blob: str = ""  # SHA-1 of "blob SIZE\0" and the content
    setting: str  # KEY=VALUE
    without: str  # how to do without it

    @property
    def check(self) -> str:
        """What the file is known by."""
        parts = {"size": self.size, "SHA-256": self.sha256, "git blob": self.git_blob}
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value) or "not known"

    @property
    def known(self) -> bool:
        """Whether its content is known, not only its name."""
        return bool(self.sha256 or self.git_blob)

    @property
    def origin(self) -> str:
        """How to get it."""
        if self.url:
            return "`bash reproduce.sh weights --get` fetches it into that folder"
        return f"open {self.source}, follow its link, download {self.name} and put it into that folder"

    def fault(self, path: Path) -> str:
        """How the file in `path` differs from the published one; empty where it does not, as far as that is known."""
        size = path.stat().st_size
        if self.size not in (None, size):
            return f"it has {size:,} bytes, the published file {self.size:,}"
        git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        for name, hasher, wanted in (("SHA-256", hashlib.sha256(), self.sha256), ("git blob", git, self.git_blob)):
            if wanted:
                for part in chunks(path):
                    hasher.update(part)
                if (found := hasher.hexdigest()[: len(wanted)]) != wanted:
                    return f"its {name} hash is {found}, that of the published file {wanted}"
        return ""

    def fetch(self, folder: Path) -> None:
        """Download it into `folder`: whole and as published, or not at all. Raises UserError."""
        path = folder / self.name
        with locked(folder / ".claims" / f"{self.name}.lock"):
            sweep(folder, self.name)  # what an interrupted download left
            if path.exists():
                return
            with replacing(path) as temporary:
                try:
                    with urlopen(self.url, timeout=60) as response, open(temporary, "wb") as file:
                        length = response.length
                        with tqdm.wrapattr(response, "read", total=length, desc=self.name, leave=False) as body:
                            shutil.copyfileobj(body, file)
                except (OSError, HTTPException) as error:
                    raise UserError(f"{self.name} was not fetched from {self.url}: {error}") from error
                fault = self.fault(temporary)
                if length not in (None, size := temporary.stat().st_size):
                    fault = f"it was cut off after {size:,} of {length:,} bytes"
                if fault:
                    raise UserError(f"{self.name} was fetched from {self.url} and not kept: {fault}")


def of_torchvision(weights: Any, what: str, setting: str, without: str) -> Published:
    """The file of an entry of torchvision's weights enums; its name ends with the first digits of its SHA-256."""
    name = weights.url.rpartition("/")[2]
    (sha256,) = re.findall(r"-([0-9a-f]{8,})\.pth$", name)
    return Published(
        name=name,
        what=f"torchvision's {what} of ImageNet",
        source="https://pytorch.org/vision/stable/models.html",
        url=weights.url,
        licence="BSD-3-Clause (of the code)",
        sha256=sha256,
        setting=setting,
        without=without,
    )
