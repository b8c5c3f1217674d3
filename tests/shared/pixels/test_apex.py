"""The apex that a corpus does not name is that of the frames that were looked at, by their numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.corpora.samples import Frames, sample_table
from shared.pixels.apex import with_apex


def brightest(clip: np.ndarray, fps: float) -> int:
    """At 100 frames a second; at another rate the darkest."""
    return int((clip.mean((1, 2)) * (1 if fps == 100 else -1)).argmax())


@pytest.fixture
def clips(tmp_path):
    """Name, numbers of its frames, their greys, onset, offset, apex and rate of each clip."""

    def make(*given):
        rows = []
        for name, numbers, greys, onset, offset, apex, fps in given:
            folder = tmp_path / name
            folder.mkdir()
            for number, grey in zip(numbers, greys, strict=True):
                Image.new("L", (8, 8), grey).save(folder / f"{number}.png")
            frames = Frames(str(folder), tuple(f"{n}.png" for n in numbers), numbers)
            rows.append((name, "X", name, "happy", (), "", onset, apex, offset, fps, frames, "", None))
        return sample_table(rows)

    return make


def test_the_apex_is_the_number_of_a_frame_from_onset_to_offset(clips, tmp_path):
    samples = clips(
        ("gaps", (3, 7, 20, 21), (10, 90, 50, 20), 3, 21, None, 100.0),
        ("outside", (1, 2, 3, 4, 5), (250, 10, 60, 20, 250), 2, 4, None, 100.0),
        ("known", (1, 2, 3), (10, 90, 20), 1, 3, 3, 100.0),
        ("slow", (4, 5, 6), (70, 80, 10), 4, 6, None, 25.0),
        ("open", (1, 2, 3), (10, 20, 90), 2, None, None, 100.0),
    )
    found, problems = with_apex(samples, tmp_path / "cache", brightest)
    assert dict(zip(found["sample"], found["apex"], strict=True)) == {
        "gaps": 7,
        "outside": 3,
        "known": 3,
        "slow": 6,
        "open": 3,
    }
    assert found["sample"].tolist() == samples["sample"].tolist() and not problems


def test_a_clip_that_cannot_be_read_is_left_out_and_moves_no_other(clips, tmp_path):
    greys = ((10, 90, 20), (10, 20, 90), (90, 20, 10))
    samples = clips(*((name, (1, 2, 3), grey, 1, 3, None, 100.0) for name, grey in zip("abc", greys, strict=True)))
    Path(samples["frames"][1].path(2)).write_bytes(b"")
    found, (problem,) = with_apex(samples, tmp_path / "cache", brightest)
    assert dict(zip(found["sample"], found["apex"], strict=True)) == {"a": 2, "c": 1} and problem.sample == "b"
