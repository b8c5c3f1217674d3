"""CASME (2013): released crops or raw frames."""

from . import micro
from .annotations import annotated
from .folders import CorpusFolder, Root
from .samples import Reading

NAME = "CASME"
EMOTIONS: tuple[str, ...] = ("amusement", "happiness", "sadness", "disgust", "surprise")
EMOTIONS += ("contempt", "fear", "repression", "tense", "others")


def read(root: Root) -> Reading:
    """CASME under `root`; of its two apexes the first. Raises CorpusMissing, SheetError."""
    signs = (r"casme\.(xlsx?|csv)", "CASME_raw_selected")
    corpus = CorpusFolder(root, NAME, signs=signs, data=micro.SUBJECTS, never=micro.NEVER)
    out, sheet = annotated(corpus, micro.COLUMNS, ("2013",), like=r"casme(?!.?2|.?ii)")
    images = micro.clips_by_subject(corpus, "Cropped", "CASME_raw_selected", "CASME_raw")
    return micro.read_clips(sheet, out, images, emotions=EMOTIONS, subject="sub{:02d}", fps=60.0)
