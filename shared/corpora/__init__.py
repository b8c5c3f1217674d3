"""The corpora as released. In goes a folder with licensed data, in the layout of its release or as unpacked by hand;
`CORPORA[NAME].read(root)` gives a `Reading`: a sample table (`samples.COLUMNS`), one row a clip or image, with the
corpus's own labels and frames, and beside it all that was odd: defects corrected, problems that keep rows out, notes.
A reader is one short file a corpus; finding folders, sheets and action units is shared by them."""

from collections.abc import Callable, Mapping
from typing import Protocol

from . import afew, casme, casme2, casme3, ckplus, dfew, emotionet, ferv39k, mmew, mmi, oulu, samm, smic
from .samples import Reading


class Reader(Protocol):
    """A module of a corpus; one with several editions also has `EDITIONS`, and its `read` takes `edition=…`."""

    NAME: str

    @property
    def read(self) -> Callable[..., Reading]:
        """read(root): the corpus under a folder. Raises CorpusMissing, SheetError."""


MICRO: tuple[Reader, ...] = (casme, casme2, samm, smic, mmew, casme3)
OTHERS: tuple[Reader, ...] = (ckplus, mmi, oulu, dfew, ferv39k, afew, emotionet)
CORPORA: Mapping[str, Reader] = {reader.NAME: reader for reader in MICRO + OTHERS}
