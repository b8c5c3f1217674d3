"""What the networks see: the magnified apex, crops, flips, normalisation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dvasp import data as module
from dvasp.config import Config
from dvasp.data import Faces, augmented, central, load, used
from dvasp.magnify import magnify
from shared.tasks import TASKS


@pytest.fixture
def samples(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from faces import micro

    return micro("samm-au4", tmp_path / "corpus")


def test_samples_become_onset_apex_and_magnified_apex(samples, tmp_path):
    config = Config(resize=40, size=32, ratio=3.0)
    store = load(samples, config, tmp_path / "cache")
    clips = store.stacked()
    assert clips.shape == (len(samples), 3, 40, 40, 3) and list(store.ids) == list(samples["sample"])
    frames = samples["frames"].iloc[5]
    onset, apex = (np.asarray(Image.open(frames.path(n))) for n in (0, 1))
    assert np.array_equal(clips[5, 0], onset) and np.array_equal(clips[5, 1], apex)
    floats = (torch.tensor(image.astype(np.float32) / 255).movedim(-1, 0)[None] for image in (onset, apex))
    wanted = magnify(*floats, ratio=3.0, lambda_c=config.lambda_c)[0].movedim(0, -1).numpy()
    assert np.abs(clips[5, 2] / 255 - wanted).max() < 0.503 / 255  # rounded to the nearest
    assert not np.array_equal(load(samples, Config(resize=40, size=32, ratio=9.0), tmp_path / "cache").stacked(), clips)


def test_a_missing_apex_is_spotted_and_a_broken_clip_left_out(samples, tmp_path):
    samples.loc[2, "apex"] = None
    Path(samples["frames"].iloc[4].path(1)).write_bytes(b"no image")
    store = load(samples, Config(resize=40, size=32), tmp_path / "cache")
    assert len(store.ids) == len(samples) - 1 and samples["sample"].iloc[2] in store.ids
    assert [p.sample for p in store.problems] == [samples["sample"].iloc[4]]


def test_crops_are_windows_of_the_image_some_mirrored():
    images = torch.arange(2 * 9 * 9 * 3).view(2, 9, 9, 3).remainder(251).byte()
    draws = torch.tensor([[0.0, 0.99, 0.7], [0.5, 0.0, 0.2]])  # top, left, no flip and flip
    found = augmented(images, draws, 6) * 255
    torch.testing.assert_close(found[0], images[0, 0:6, 3:9].movedim(-1, 0).float())
    torch.testing.assert_close(found[1], images[1, 2:8, 0:6].flip(1).movedim(-1, 0).float())
    torch.testing.assert_close(central(images, 5) * 255, images[:, 2:7, 2:7].movedim(-1, 1).float())


def test_crops_of_any_draw_lie_within_the_image():
    images = torch.zeros(1000, 8, 8, 3, dtype=torch.uint8)
    largest = torch.full((1000, 3), 1.0).nextafter(torch.zeros(()))
    for size in range(1, 9):
        assert augmented(images, largest, size).shape == (1000, 3, size, size)


def test_no_crop_is_mirrored_where_flips_are_off():
    images = torch.arange(9 * 9 * 3).view(1, 9, 9, 3).byte()
    mirrored, plain = (augmented(images, torch.zeros(1, 3), 9, flip=flip) for flip in (True, False))
    assert torch.equal(plain, images.movedim(-1, 1) / 255) and torch.equal(mirrored, plain.flip(-1))


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from faces import wild

    return wild(tmp_path / "wild", labelled=20, others=12)


def test_of_emotionet_the_labelled_images_and_a_share_of_the_others_are_used(images, samples):
    config = Config(unlabelled=5)
    found = used(images, config)
    assert len(found) == 25 and list(found["sample"][:20]) == list(images["sample"][:20])
    assert used(found, config).equals(found)  # in the pre-training, of what was read
    assert len(used(images, Config(unlabelled_each=0, cr_on="all"))) == 20 and len(used(images, Config())) == 32
    assert used(samples, config) is samples


def test_images_beyond_the_cached_share_are_read_as_they_are_needed(images, tmp_path, monkeypatch):
    def items(cached):
        monkeypatch.setattr(module, "CACHED", cached)
        faces = Faces(images, each=3, resize=24, cache=tmp_path / "cache")
        assert len(faces.store.ids) == 20 + min(cached, 12)
        return [faces[0, 0, i][0] for i in range(len(faces))]

    for some, all_read in zip(items(12), items(3), strict=True):
        assert torch.equal(some, all_read)


def test_an_image_of_emotionet_has_its_own_labels(images, tmp_path):
    """As its row codes them, NaN where it does not; in training and held out."""
    task, coded = TASKS["emotionet-au12"], images.set_index("sample")
    faces = Faces(images, each=1, resize=40, cache=tmp_path / "cache")
    x, p = faces.tested()
    found = [faces[0, 0, i][:2] for i in range(len(faces))]
    pairs = [(x[0], p[0]) for x, p in found] + list(zip(x, p, strict=True))
    assert len(pairs) == 20 and all(torch.isnan(p[1]).all() for _, p in found)
    for sample, (pixels, labels) in zip([*faces.train, *faces.held_out], pairs, strict=True):
        values = dict(code.split("=") for code in coded.loc[sample, "au_codes"].split())
        expected = [float(values.get(str(au), "nan")) for au in task.aus]
        np.testing.assert_array_equal(labels.numpy(), np.array(expected, np.float32))
        np.testing.assert_array_equal(pixels.numpy(), np.asarray(Image.open(coded.loc[sample, "frames"].path(0))))
