"""MMEW (2021): micro-expressions with their sheet, macro-expressions by folder."""

from . import micro
from .annotations import annotated
from .folders import IMAGES, CorpusFolder, Listing, Root, list_frames
from .samples import Collector, Frames, Reading

NAME = "MMEW"
FPS = 90.0
CLIP = r"S\d+-\d+-\d+"
EMOTIONS = ("happiness", "disgust", "surprise", "fear", "sadness", "anger", "others")
WORDS = "|".join(EMOTIONS)


def _corpus(root: Root) -> CorpusFolder:
    signs = (r"MMEW.*\.(xlsx?|csv)", r"Micro_Expression", r"Macro_Expression")
    return CorpusFolder(root, NAME, signs=signs, data=rf"{WORDS}|S\d+|{CLIP}", never=micro.NEVER)


def read(root: Root) -> Reading:
    """The micro-expressions of MMEW under `root`. Raises CorpusMissing, SheetError."""
    corpus = _corpus(root)
    out, sheet = annotated(corpus, micro.COLUMNS, ("2021",), like=r"mmew.*micro", positions=True)
    tree = corpus.get("Micro_Expression", holds=f"{WORDS}|{CLIP}", anywhere=False)

    def images(clip: micro.Clip) -> Frames:
        return list_frames(tree.clip(clip.emotion, clip.name, alone=clip.name))

    return micro.read_clips(sheet, out, images, emotions=EMOTIONS, subject="S{:02d}", fps=FPS, prefixed=True)


def read_macro(root: Root) -> Reading:
    """The macro-expressions: `S01-07-001` is subject, sequence, frame; no apex is given. Raises CorpusMissing."""
    corpus = _corpus(root)
    tree = corpus.get("Macro_Expression", holds=r"S\d+", anywhere=False)
    out = Collector(corpus, "2021, macro-expressions")
    for person in tree.listing().directories():
        for word in tree.listing(person).directories():
            folder = tree.path(person, word)
            emotion = out.emotion(word, EMOTIONS, folder)
            for name, frames in _sequences(folder).items() if emotion else ():
                sample = f"{NAME}/macro/{person}/{word}/{name}"
                out.add(sample, f"{NAME}/{person}", emotion=emotion, fps=FPS, frames=frames)
    return out.reading()


def _sequences(folder: str) -> dict[str, Frames]:
    """The sequences of an emotion's folder: its images by subject and sequence (each counts from 1), and subfolders."""
    listing, names = Listing(folder), dict[str, list[str]]()
    for name in listing.files(*IMAGES):
        names.setdefault(name.rpartition("-")[0] or "images", []).append(name)
    sequences = {name: list_frames(folder, images) for name, images in names.items()}
    sequences |= {name: list_frames(listing.path(name)) for name in listing.directories()}
    return {name: frames for name, frames in sequences.items() if len(frames)}
