"""MMI: sessions of videos, those of the frontal view with one of six emotions."""

import os
import re
from xml.etree import ElementTree

from ..files import opened
from .folders import CorpusFolder, Root
from .samples import Collector, Reading, Video

NAME = "MMI"
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


def read(root: Root) -> Reading:
    """The frontal clips of MMI under `root` that carry one of six emotions; no apex is given. Raises CorpusMissing."""
    corpus = CorpusFolder(root, NAME, signs=("Sessions",), data=r"\d+")
    tree = corpus.get("Sessions", what="videos", files=(".avi",))
    out = Collector(corpus)
    side = unlabelled = 0
    for session in sorted(tree.listing().directories(), key=lambda name: (len(name), name)):
        listing = tree.listing(session)
        description = _xml(listing.path("session.xml"), out)
        for name in listing.files(".avi"):
            clip = name[:-4]
            labels = _xml(listing.path(f"{clip}.xml"), out)
            if description is None or labels is None:
                continue
            emotion, frontal = _emotion(labels), _frontal(description, clip)
            if frontal is None:
                what, remedy = (
                    f"none of its tracks, of several views, names {clip}",
                    "name the clip's file in its track",
                )
                out.problem(listing.path("session.xml"), None, what, remedy, f"{NAME}/{session}/{clip}")
            elif not frontal:
                side += 1
            elif emotion is None:
                unlabelled += 1
            else:
                units = _units(listing.find(f"{clip}-oao_aucs.xml"), out)
                sample, subject = f"{NAME}/{session}/{clip}", f"{NAME}/{_subject(description, clip) or session}"
                codes, video = "+".join(map(str, units)), Video(listing.path(name))
                out.add(sample, subject, emotion=emotion, aus=units, au_codes=codes, frames=video)
    out.notes.append(f"left out: {side} clips of other views, {unlabelled} without one of the six emotions")
    return out.reading()


def _xml(path: str, out: Collector) -> ElementTree.Element | None:
    try:
        with opened(path) as file:
            return ElementTree.parse(file).getroot()
    except Exception as error:  # an encoding can be unknown, too
        out.problem(path, None, f"cannot be read ({error})", "restore it from the release")
        return None


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {name.lower(): value for name, value in element.attrib.items()}


def _frontal(session: ElementTree.Element, clip: str) -> bool | None:
    """Whether the clip is the session's track of view 0; a track without a view counts. None where no track names the
    clip, and views differ."""
    tracks = [_attributes(element) for element in session.iter() if element.tag.lower() == "track"]
    own = [track for track in tracks if any(os.path.splitext(value)[0] == clip for value in track.values())]
    views = {track.get("view", "0") == "0" for track in own or tracks}
    return None if len(views) > 1 and not own else True in views or not views


def _subject(session: ElementTree.Element, clip: str) -> str | None:
    """`S001` by the session's description or by the clip's name (`S001-005`)."""
    described = [_attributes(element).get("id", "") for element in session.iter() if element.tag.lower() == "subject"]
    number = re.search(r"\d{1,9}", " ".join([*described, clip.partition("-")[0]]))
    return f"S{int(number[0]):03d}" if number else None


def _emotion(labels: ElementTree.Element) -> str | None:
    for element in labels.iter():
        attributes = _attributes(element)
        value = attributes.get("value", "").strip()
        if attributes.get("name", "").lower() == "emotion" and value in {"1", "2", "3", "4", "5", "6"}:
            return EMOTIONS[int(value) - 1]
    return None


def _units(path: str | None, out: Collector) -> tuple[int, ...]:
    root = _xml(path, out) if path else None
    coded = root.iter("ActionUnit") if root is not None else ()
    numbers = [_attributes(element).get("number", "") for element in coded]
    return tuple(sorted({int(number) for number in numbers if re.fullmatch(r"\d{1,3}", number)}))
