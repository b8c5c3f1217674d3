"""How a clip becomes the network's frames and the SVM's descriptor."""

import itertools
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sca_au import data
from sca_au.config import Config
from shared.corpora import casme2
from shared.errors import UserError
from shared.tasks import TASKS


def test_frames_are_spread_evenly_from_the_first_to_the_last():
    ramp = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    assert data.spread(ramp, tim=50, frames=10)[:, 0, 0, 0].tolist() == [0, 5, 11, 16, 22, 27, 33, 38, 44, 49]


def test_clips_go_from_onset_to_offset(corpus, tmp_path):
    samples = TASKS["casme2-au8"].select(casme2.read(corpus).samples).assign(onset=2, offset=3)
    inputs = data.load(samples, SimpleNamespace(resize=8, tim=4, frames=4, descriptor="none"), tmp_path)
    assert inputs.ids == tuple(samples["sample"]) and inputs.x.shape == (12, 4, 8, 8, 3)
    for frames, clip in zip(samples["frames"], inputs.x, strict=True):
        ends = [np.asarray(Image.open(frames.path(n)).convert("RGB")) for n in (2, 3)]
        np.testing.assert_array_equal(clip[[0, -1]], ends)


def test_descriptors_see_grey_clips_of_one_length():
    clip = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)
    grey = data.described(clip, tim=9, by=lambda volume: volume)
    assert grey.shape == (9, 6, 7) and grey.dtype == np.float32
    for given, made in zip(clip, grey[::2], strict=True):  # five frames to nine: every second one is a given one
        assert np.abs(np.asarray(Image.fromarray(given).convert("L"), np.float32) - made).max() <= 1


@pytest.mark.parametrize("name", data.DESCRIPTORS)
def test_settings_are_refused_where_the_descriptor_refuses_them(name):
    """At every combination around the least that fits."""
    clip = np.random.default_rng(0).integers(0, 256, (4, 37, 37, 3), np.uint8)
    refused, tried = 0, list(itertools.product((6, 7, 8, 9), (33, 35, 36, 37), (1, 3, 28, 29, 31)))
    for tim, resize, blocks in tried:
        settings = dict(tim=tim, resize=resize, blocks=blocks, radii=(2, 4, 3), window=7, descriptor=name)
        by = partial(data.DESCRIPTORS[name], **data.description(SimpleNamespace(**settings)))
        try:
            Config(**settings, size=33, frames=1)
        except UserError:
            refused += 1
            with pytest.raises(ValueError):
                data.described(clip[:, :resize, :resize], tim=tim, by=by)
        else:
            assert np.isfinite(data.described(clip[:, :resize, :resize], tim=tim, by=by)).all()
    assert 0 < refused < len(tried)


def test_crops_are_of_one_place_a_clip_and_flipped_or_not():
    clip = torch.arange(2 * 6 * 6 * 3).view(1, 2, 6, 6, 3)
    places = {
        clip[0, :, y : y + 4, x : x + 4].flip(2)[:] if turned else clip[0, :, y : y + 4, x : x + 4]: (y, x, turned)
        for y in range(3)
        for x in range(3)
        for turned in (False, True)
    }
    for flip in (False, True):
        draws = torch.Generator().manual_seed(0)
        crops = data.augmented(clip.expand(400, -1, -1, -1, -1), 4, flip=flip, generator=draws)
        again = data.augmented(clip.expand(400, -1, -1, -1, -1), 4, flip=flip, generator=draws.manual_seed(0))
        assert torch.equal(crops, again)
        found = {next(place for crop, place in places.items() if torch.equal(crop, made)) for made in crops}
        assert found == {place for place in places.values() if flip or not place[2]}
    assert torch.equal(data.central(clip, 4)[0], clip[0, :, 1:5, 1:5])
