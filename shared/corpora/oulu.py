"""Oulu-CASIA (2011), visible light, strong illumination: from neutral to the apex."""

from .folders import CorpusFolder, Root, list_frames
from .samples import Collector, Reading

NAME = "Oulu-CASIA"
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
ORIGINALS = ("OriginalImg/VL/Strong", "VL_Acropped/Strong", "VL/Strong")
CROPS = tuple(f"{name}/VL_Acropped/Strong" for name in ("PreProcess_Img", "PreProcessImg", "PreProcess"))


def read(root: Root) -> Reading:
    """Oulu-CASIA under `root`: onset first, apex = offset last. Raises CorpusMissing."""
    signs, never = ("PreProcess_?(Img)?", "(B_)?OriginalImg"), "NI|NI_.*|Weak|Dark|.*video.*"
    corpus = CorpusFolder(root, NAME, signs=signs, data=r"P\d{3}", never=never)
    tree = corpus.get(*CROPS, *ORIGINALS)
    out = Collector(corpus, "VL, strong light")
    for person in tree.listing().directories():
        subject = f"{NAME}/{person}"
        for word in tree.listing(person).directories():
            frames = list_frames(tree.path(person, word))
            if emotion := out.emotion(word, EMOTIONS, frames.folder):
                out.add(f"{subject}/{word}", subject, emotion=emotion, apex=frames.last, fps=25.0, frames=frames)
    return out.reading()
