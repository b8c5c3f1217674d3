"""Which frames are taken, and what a pair is."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mtmnet.config import Config
from mtmnet.data import ImagePairs, around, drawn, load, numbers, pretraining_data, shifted
from shared.corpora.samples import Frames
from shared.pixels.frames import floats
from shared.runs.pretraining import Needs
from shared.tasks import TASKS


def held(numbers, folder="nowhere") -> Frames:
    return Frames(str(folder), tuple(f"{n}.png" for n in numbers), tuple(numbers))


@pytest.mark.parametrize(
    ("numbers", "apex", "count", "expected"),
    [
        (range(40, 60), 50, 5, [48, 49, 50, 51, 52]),  # centred at the apex (Sec. 4.1)
        (range(40, 60), 50, 1, [50]),
        (range(40, 60), 41, 5, [40, 41, 42, 43, 44]),
        (range(40, 60), 59, 3, [57, 58, 59]),  # the last ones, where a sequence ends at its peak
        ([1, 3, 8, 20, 21, 30], 8, 3, [3, 8, 20]),
        ([1, 2, 3], 2, 5, [1, 2, 3, 3, 3]),
    ],
)
def test_frames_about_the_apex(numbers, apex, count, expected):
    assert around(numbers, apex, count) == expected


def test_pairs_of_clips():
    frames = torch.arange(2 * 4, dtype=torch.uint8).view(2, 4, 1, 1, 1).expand(2, 4, 2, 2, 3)
    pairs = ImagePairs.of(frames, torch.tensor([5, 6]), ["b", "a"])
    assert pairs.x_N[:, 0, 0, 0].tolist() == [0, 0, 0, 4, 4, 4] and pairs.x_E[:, 0, 0, 0].tolist() == [1, 2, 3, 5, 6, 7]
    assert pairs.y.tolist() == [5, 5, 5, 6, 6, 6] and pairs.s.tolist() == [0, 0, 0, 1, 1, 1] and pairs.subjects == 2
    x_N, x_E, y, s = pairs.pixels(torch.tensor([3, 0]))
    assert x_N.shape == (2, 3, 2, 2) and y.tolist() == [6, 5] and s.tolist() == [1, 0]
    torch.testing.assert_close(x_E, floats(pairs.x_E[[3, 0]]))
    x_N, x_E, y, s = pairs[(7, 4)]
    assert x_E[0, 0, 0] == 6 and y == 6 and s == 1


def written(root, corpus, person, emotion, apex, values) -> tuple:
    folder = root / corpus / person / emotion
    folder.mkdir(parents=True)
    for number, value in enumerate(values, start=1):
        Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(folder / f"{number}.png")
    frames = held(range(1, len(values) + 1), folder)
    name = f"{corpus}/{person}/{emotion}"
    return name, corpus, f"{corpus}/{person}", emotion, (), "", 1, apex, pd.NA, 25.0, frames


def table(rows) -> pd.DataFrame:
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    return pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})


def test_macro_expressions_at_their_peak_whether_the_corpus_names_it_or_not(tmp_path):
    rising, back = (10, 20, 30, 40, 50), (10, 20, 60, 20, 10)
    rows = [
        written(tmp_path, "MMI", "S1", "happiness", pd.NA, back),
        written(tmp_path, "MMI", "S2", "surprise", 5, rising),
        written(tmp_path, "MMI", "S2", "fear", 5, rising),  # no class of CASME II
    ]
    needs = Needs({"size": 32, "macro_frames": 3, "labels": "macro-casme2-5"})
    pairs = pretraining_data({"MMI": table(rows)}, needs, tmp_path / "cache")
    assert pairs.x_N[:, 0, 0, 0].tolist() == [10] * 6
    assert pairs.x_E[:, 0, 0, 0].tolist() == [20, 60, 20, 30, 40, 50]
    assert pairs.y.tolist() == [0, 0, 0, 1, 1, 1] and pairs.s.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_onset_is_no_expression():
    frames = [held((4, 5, 6)), held((4, 5, 6)), held((4, 5, 6))]
    samples = pd.DataFrame({"frames": frames, "onset": [4, 4, 4], "apex": [5, 6, 4]})
    assert numbers(samples, 3) == [[4, 5, 6, 6], [4, 5, 6, 6], [4, 4, 5, 6]]


def test_a_clip_is_its_onset_and_the_frames_about_its_apex(tmp_path):
    rows = [written(tmp_path, "SMIC", "s1", "negative", 4, (10, 20, 30, 40, 50, 60, 70))]
    store = load(TASKS["smic-3"].select(table(rows)), Config(size=32, frames=5), tmp_path / "cache")
    assert store.stacked()[:, :, 0, 0, 0].tolist() == [[10, 20, 30, 40, 50, 60]]
    assert store.ids == ("SMIC/s1/negative",) and not store.problems


def test_images_are_moved_down_and_right_and_their_edges_repeated():
    x = torch.rand(2, 3, 5, 7)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    for down in range(-2, 3):
        for right in range(-2, 3):
            expected = padded[..., 2 - down : 7 - down, 2 - right : 9 - right]
            np.testing.assert_array_equal(shifted(x, (down, right)).numpy(), expected)
    assert shifted(x[:0], (1, 0)).shape == (0, 3, 5, 7)


def test_each_true_place_is_drawn_alike():
    mask = torch.tensor([[False, True, False, True, True], [False, False, True, False, False]])
    draws = (torch.arange(300).double() / 300).repeat_interleave(2)
    places = drawn(mask.repeat(300, 1), draws).view(300, 2)
    assert places[:, 0].bincount(minlength=5).tolist() == [0, 100, 0, 100, 100]
    assert (places[:, 1] == 2).all()
    highest = torch.tensor(1.0).nextafter(torch.tensor(0.0))  # times 3 it is rounded up to 3
    assert drawn(mask[:1], highest[None]).item() == 4
