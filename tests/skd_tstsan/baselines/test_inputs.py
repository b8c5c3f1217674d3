"""What the baselines see, and what augmentation does to it."""

import numpy as np
import pandas as pd
import torch
import torchvision.transforms.v2.functional as reference
from PIL import Image

from shared.corpora.samples import Frames
from skd_tstsan.baselines.augment import cropped, jittered, turned
from skd_tstsan.baselines.data import about_apex, early_and_late, flow_images, resized
from skd_tstsan.baselines.train import MEAN, STD, balanced, normalised


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_turned_is_torchvisions_rotation_and_flip():
    """Of the angles drawn, about the centres of images that are not square."""
    images = torch.nn.functional.interpolate(torch.rand(6, 4, 8, 9, generator=generator()), (39, 40), mode="bicubic")
    draws = generator(1)
    angles = ((2 * torch.rand(6, generator=draws) - 1) * 20).tolist()
    flips = (torch.randint(0, 2, (6,), generator=draws) == 0).tolist()
    assert any(flips) and not all(flips)
    for image, angle, flip, measured in zip(
        images, angles, flips, turned(images, 20, generator(1), flip=True), strict=True
    ):
        expected = reference.rotate(image, angle)
        expected = reference.horizontal_flip(expected) if flip else expected
        assert (measured == expected).float().mean() > 0.97, (angle, flip)  # the rest lies between two pixels
    assert torch.equal(turned(images, 0, generator(), flip=False), images)


def test_cropped():
    images = torch.arange(2 * 3 * 9 * 12.0).view(2, 3, 9, 12)
    assert torch.equal(cropped(images, 5), images[..., 2:7, 3:8])
    windows = images.unfold(2, 5, 1).unfold(3, 5, 1)  # (2, 3, 5, 8, 5, 5)
    places, draws = set(), generator()
    for _ in range(400):
        for b, crop in enumerate(cropped(images, 5, draws)):
            same = (windows[b] == crop[:, None, None]).all(-1).all(-1).all(0)
            assert same.sum() == 1
            places.add((b, *same.nonzero()[0].tolist()))
    assert len(places) == 2 * 5 * 8


def test_jittered():
    images = torch.rand(20, 3, 8, 8, generator=generator())
    torch.testing.assert_close(jittered(images, 0.0, generator()), images, atol=1e-5, rtol=0)
    changed = jittered(images, 0.2, generator())
    assert changed.min() >= 0 and changed.max() <= 1 and ((changed - images).abs().amax((1, 2, 3)) > 0.01).all()
    brightness = changed.mean((1, 2, 3)) / images.mean((1, 2, 3))
    assert brightness.min() > 0.75 and brightness.max() < 1.25 and brightness.std() > 0.05


def test_classes_are_balanced():
    """About five times the smallest class; its own clips with all their frames, a large class with a few."""
    y = torch.tensor([0] * 30 + [1] * 12 + [2] * 6 + [3] * 40)
    rows = torch.arange(len(y)).flip(0) + 7  # of a larger table
    totals, draws = torch.zeros(4), generator()
    for _ in range(300):
        chosen = balanced(rows, y.flip(0), draws)
        clips, places = chosen // 5 - 7, chosen % 5
        assert len(chosen.unique()) == len(chosen)
        assert sorted(clips[places == 0].tolist()) == list(range(len(y)))
        assert (torch.bincount(clips)[42:48] == 5).all()
        totals += torch.bincount(y[clips], minlength=4) / 300
    torch.testing.assert_close(totals, torch.tensor([30.0, 30.0, 30.0, 40.0]), atol=0.5, rtol=0)


def clips(*, onset: int, apex: int, numbers: tuple[int, ...]) -> pd.DataFrame:
    frames = Frames("", tuple(f"{n}.png" for n in numbers), numbers)
    return pd.DataFrame([{"frames": frames, "onset": onset, "apex": apex}])


def test_frames_near_the_apex():
    assert about_apex(clips(onset=1, apex=5, numbers=tuple(range(1, 9)))) == [[5, 4, 6, 3, 7]]
    assert about_apex(clips(onset=1, apex=8, numbers=(1, 2, 8))) == [[8, 2, 1, 2, 1]]
    assert about_apex(clips(onset=8, apex=8, numbers=(8,))) == [[8] * 5]
    assert resized(224) == (234, 240)


def test_frames_that_stand_for_onset_and_apex():
    """⌊.15 · 80 / 4⌋ = 3 frames after the onset and before the apex, as far as there are any."""
    whole = tuple(range(1, 121))
    ((early, late),) = early_and_late(clips(onset=10, apex=90, numbers=whole), 0.15)
    assert early == [10, 11, 12, 13] and late == [87, 88, 89, 90]
    ((early, late),) = early_and_late(
        clips(onset=10, apex=90, numbers=tuple(n for n in whole if n not in (12, 89))), 0.15
    )
    assert early == [10, 11, 13] and late == [87, 88, 90]
    for apex in (34, 10, 8):
        assert early_and_late(clips(onset=10, apex=apex, numbers=whole), 0.15) == [([10], [apex])]


def test_images_of_flow_and_strain():
    """A face that comes closer: u grows to the right and v downwards; without motion all is black."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    first = Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)
    second = first.resize((64, 64), Image.Resampling.BICUBIC, box=(2, 2, 62, 62))
    clip = np.stack([np.asarray(first), np.asarray(second)])[..., None]
    u, v, strained = flow_images(clip).astype(float)
    assert u.shape == (28, 28) and u.max() <= 255
    assert u[:, -7:].mean() - u[:, :7].mean() > 40 and v[-7:].mean() - v[:7].mean() > 40
    assert abs(u[-7:].mean() - u[:7].mean()) < 20 and abs(v[:, -7:].mean() - v[:, :7].mean()) < 20
    assert strained.std() > 0
    assert not flow_images(np.stack([clip[0], clip[0]])).any()


def test_normalised():
    frames = torch.randint(0, 256, (2, 2, 5, 6, 3), dtype=torch.uint8)
    expected = reference.normalize(frames.movedim(-1, -3).float() / 255, MEAN, STD)
    torch.testing.assert_close(normalised(frames), expected)
    assert normalised(frames).is_contiguous()
