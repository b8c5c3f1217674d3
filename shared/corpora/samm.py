"""SAMM (2016, 2018): both forms of its sheet, with note rows above the header or without."""

from . import micro
from .annotations import annotated
from .folders import CorpusFolder, Root, list_frames
from .samples import Frames, Reading
from .sheets import Sheet

NAME = "SAMM"
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "other")
EDITIONS = ("header in row 1", "notes above the header")


def _edition(sheet: Sheet) -> str:
    return EDITIONS[sheet.header_row > 1]


def read(root: Root, *, edition: str | None = None) -> Reading:
    """SAMM under `root`; where both forms of its sheet are found, the one asked for, else the one without notes.

    Raises CorpusMissing, SheetError."""
    signs, data = (r"SAMM.*\.(xlsx?|csv)",), r"\d{1,3}(_\d+_\d+)?"
    corpus = CorpusFolder(root, NAME, signs=signs, data=data, never=micro.NEVER)
    like = r"samm.*(micro|code)|samm_20\d{6}"
    out, sheet = annotated(corpus, micro.COLUMNS, EDITIONS, _edition, edition, like=like)
    tree = corpus.get(".")

    def images(clip: micro.Clip) -> Frames:
        return list_frames(tree.clip(clip.subject, clip.name, alone=clip.name))

    return micro.read_clips(sheet, out, images, emotions=EMOTIONS, subject="{:03d}", fps=200.0, prefixed=True)
