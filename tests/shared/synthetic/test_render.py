"""Synthetic faces: what a seed fixes, how action units move and shade, and that the truth is what pictures show."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from shared.synthetic import AUS, Clip, Person

SIZE = 96


def clip(aus=(), person=3, **more):
    """A short clip in which nothing but the action units happens."""
    still = dict(frames=5, onset=0, apex=2, offset=4, fps=30.0, seed=5, sway=0.0, blink=False, noise=0.0)
    return Clip(Person.draw(person), dict(aus), **still | more)


def moved(aus, landmark, **more):
    """Displacement (u, v) in pixels from onset to apex at a landmark, asymmetry of the clip included."""
    one = clip(aus, **more)
    x, y = one.person.locate(SIZE)[landmark]
    return one.motion(one.apex, SIZE)[:, round(y), round(x)]


def patch(picture, person, landmark, reach=3):
    x, y = (round(v) for v in person.locate(picture.shape[:2])[landmark])
    return picture[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(float)


def test_a_seed_fixes_person_and_clip():
    Person.draw.cache_clear()
    one = clip({12: 0.5, 4: 0.3}, noise=1.0, sway=1.0, blink=True).render(SIZE)
    Person.draw.cache_clear()
    two = clip({12: 0.5, 4: 0.3}, noise=1.0, sway=1.0, blink=True).render(SIZE)
    assert (one == two).all()
    other_clip = clip({12: 0.5, 4: 0.3}, noise=1.0, sway=1.0, blink=True, seed=6).render(SIZE)
    other_person = clip({12: 0.5, 4: 0.3}, person=4).render(SIZE)
    assert (one != other_clip).mean() > 0.3
    assert np.abs(one.astype(int) - other_person).mean() > 10


@pytest.mark.parametrize("size, margin", [(64, 0.0), ((85, 70), 0.0), ((60, 80), 0.8)])
def test_sizes(size, margin):
    shape = (size, size) if isinstance(size, int) else size
    one = clip({26: 0.5})
    picture = one.render(size, margin=margin)
    assert picture.shape == (5, *shape, 3) and picture.dtype == np.uint8
    assert one.render(size, margin=margin, gray=True).shape == (5, *shape)
    assert one.motion(2, size, margin).shape == (2, *shape)


def test_gray_is_the_luma_of_colour():
    one = clip({12: 0.5})
    colour, gray = one.render(SIZE).astype(float) @ [0.299, 0.587, 0.114], one.render(SIZE, gray=True)
    assert np.abs(colour - gray).mean() < 0.7


def test_intensities_rise_from_nothing_to_the_apex_and_fall():
    one = clip({12: 0.3, 6: 0.2}, frames=150, onset=10, apex=30, offset=45, fps=200.0)
    assert one.intensities.shape == (150, len(AUS)) and one.intensities.dtype == np.float32
    assert set(np.flatnonzero(one.intensities.any(0))) == {AUS.index(12), AUS.index(6)}
    for au, peak in ((12, 0.3), (6, 0.2)):
        course = one.intensities[:, AUS.index(au)]
        assert (course[:11] == 0).all()
        assert course.argmax() == 30 and course[30] == pytest.approx(peak)
        assert (np.diff(course[10:31]) >= 0).all() and (np.diff(course[30:]) <= 1e-7).all()
        assert 0 < course[45] < 0.1 * peak and course[149] < 0.002 * peak


def test_nothing_moves_before_the_onset_without_sway():
    one = clip({12: 0.8}, frames=8, onset=4, apex=6, offset=7)
    pictures = one.render(SIZE)
    assert (pictures[:5] == pictures[0]).all() and (pictures[6] != pictures[0]).any()
    assert np.abs(one.motion(2, SIZE)).max() < 1e-4


def test_order_of_frames_and_units_are_checked():
    with pytest.raises(ValueError, match="onset"):
        clip({12: 0.5}, onset=3, apex=2)
    with pytest.raises(ValueError, match="99"):
        clip({99: 0.5})


@pytest.mark.parametrize(
    "au, landmark, du, dv",
    [
        (1, "brow_inner", 0, -1),
        (2, "brow_outer", 0, -1),
        (4, "brow_inner", -1, 1),
        (6, "cheek", 0, -1),
        (9, "ala", 0, -1),
        (12, "mouth_corner", 1, -1),
        (14, "mouth_corner", 1, 0),
        (15, "mouth_corner", 0, 1),
        (20, "mouth_corner", 1, 0),
        (23, "mouth_corner", -1, 0),
        (10, "lip_upper", 0, -1),
        (17, "lip_lower", 0, -1),
        (26, "chin", 0, 1),
    ],
)
def test_landmarks_move_as_facs_describes(au, landmark, du, dv):
    sides = (1, -1) if f"{landmark}_L" in Person.draw(3).landmarks else (0,)
    for side in sides:
        name = landmark + {1: "_L", -1: "_R", 0: ""}[side]
        x, y = clip().person.locate(SIZE)[name]
        u, v = clip({au: 1.0}).motion(2, SIZE)[:, round(y) - (1 if landmark == "chin" else 0), round(x)]
        assert du == 0 or u * du * side > 0.6, (u, v)
        assert dv == 0 or v * dv > 0.6, (u, v)


def test_lips_get_thinner_when_pressed():
    for au in (23, 24):
        assert moved({au: 1.0}, "lip_lower")[1] - moved({au: 1.0}, "lip_upper")[1] < -0.6


def test_micro_intensities_move_the_mouth_corner_by_about_a_pixel():
    for intensity, low, high in ((0.15, 0.25, 1.0), (0.35, 1.0, 2.5)):
        one = clip({12: intensity}, frames=3, apex=1, offset=2)
        x, y = one.person.locate(128)["mouth_corner_L"]
        assert low < np.hypot(*one.motion(1, 128)[:, round(y), round(x)]) < high


def test_eyes_close_and_open_wide():
    person = Person.draw(3)

    def white(picture):
        """Pixels of the left eye without colour: skin is never so pale."""
        eye = patch(picture, person, "eye_L", 9)
        return (eye.max(-1) - eye.min(-1) < 0.22 * eye.max(-1)).sum()

    rest, _, shut = clip({43: 1.0}).render(128)[:3]
    assert white(rest) > 30 and white(shut) == 0
    dark = [(patch(p, person, "eye_L", 5).max(-1) < 60).sum() for p in (rest, shut)]  # pupil and iris
    assert dark[0] > 8 and dark[1] < 0.25 * dark[0]
    assert white(clip({5: 1.0}).render(128)[2]) > 1.15 * white(rest)
    assert white(clip({7: 1.0}).render(128)[2]) < 0.85 * white(rest)


def test_jaw_drop_opens_a_dark_mouth():
    rest, _, wide = clip({26: 1.0}).render(128)[:3]
    person = Person.draw(3)
    x, y = (round(v) for v in person.locate(128)["mouth"])
    assert wide[y + 2 : y + 8, x].mean() < 0.6 * rest[y + 2 : y + 8, x].mean()


@pytest.mark.parametrize(
    "au, landmark, reach", [(4, "nasion", 8), (6, "eye_outer_L", 8), (12, "cheek_L", 8), (17, "chin", 12)]
)
def test_action_units_change_the_shading_too(au, landmark, reach):
    """What warping cannot explain is larger near the folds and bulges than far away."""
    one = clip({au: 1.0})
    pictures = one.render(128, gray=True).astype(float)
    y, x = np.mgrid[:128, :128]
    u, v = one.motion(2, 128)
    left = np.abs(map_coordinates(pictures[2], [y + v, x + u], order=1, mode="nearest") - pictures[0])
    px, py = one.person.locate(128)[landmark]
    near = np.hypot(x - px, y - py) < reach
    far = np.hypot(x - px, y - py) > 55
    assert left[near].mean() > 3 * left[far].mean() + 0.5


def test_one_sided_units_leave_the_other_side_still():
    u_left, u_right = (moved({12: 1.0}, f"mouth_corner_{s}", sides={12: "L"}) for s in "LR")
    assert u_left[0] > 1.5 and np.abs(u_right).max() < 0.05
    u_left, u_right = (moved({12: 1.0}, f"mouth_corner_{s}", sides={12: "R"}) for s in "LR")
    assert u_right[0] < -1.5 and np.abs(u_left).max() < 0.05


def test_sides_differ_a_little_from_clip_to_clip():
    ratio = np.array([[np.hypot(*moved({12: 1.0}, f"mouth_corner_{s}", seed=seed)) for s in "LR"] for seed in range(6)])
    lean = np.log(ratio[:, 0] / ratio[:, 1])
    assert 0.02 < lean.std() < 0.4


def test_blinks_do_not_depend_on_the_action_units():
    def shut(aus):
        """Frames whose eyes are darker than most: the white has gone."""
        one = clip(aus, frames=200, apex=100, offset=199, fps=25.0, blink=True, seed=11)
        eye = np.array([patch(f, one.person, "eye_L", 4).max(-1).mean() for f in one.render(64)])
        return np.flatnonzero(np.abs(eye - np.median(eye)) > 0.6 * np.abs(eye - np.median(eye)).max())

    rest = shut({})
    assert 0 < len(rest) < 80
    assert set(rest) == set(shut({20: 0.4}))


@pytest.mark.parametrize(
    "aus, sway",
    [({}, 6.0), ({12: 0.35}, 1.0), ({1: 0.8, 2: 0.8}, 0.0), ({4: 0.9, 15: 0.9}, 2.0), ({26: 0.9, 25: 0.6}, 1.0)],
)
def test_motion_is_what_the_pictures_show(aus, sway):
    """The apex frame fetched back along the motion is the onset frame, but for shading and what opens or shuts."""
    one = clip(aus, frames=40, onset=2, apex=30, offset=39, fps=10.0, sway=sway)
    size = 192
    pictures = one.render(size, gray=True).astype(float)
    onset, apex = pictures[2], pictures[30]
    u, v = one.motion(30, size)
    y, x = np.mgrid[:size, :size]
    back = map_coordinates(apex, [y + v, x + u], order=3, mode="nearest")
    skin = np.zeros((size, size), bool)
    places = one.person.locate(size)
    for name in ("brow_inner_L", "brow_outer_R", "cheek_L", "cheek_R", "mouth_corner_L", "mouth_corner_R", "nose_tip"):
        px, py = places[name]
        skin |= np.hypot(x - px, y - py) < 10
    onset, apex, back = ((p - gaussian_filter(p, 4))[skin] for p in (onset, apex, back))  # shading is smoother
    before, after = (np.corrcoef(onset, p)[0, 1] for p in (apex, back))
    assert after > 0.93 and 1 - after < 0.4 * (1 - before), (before, after)


def test_motion_scales_with_the_view():
    one = clip({12: 0.8})
    tight, wide = (one.motion(2, 160, margin) for margin in (0.0, 0.8))
    for name in ("mouth_corner_L", "cheek_R", "eye_outer_L"):
        (x0, y0), (x1, y1) = (one.person.locate(160, margin)[name] for margin in (0.0, 0.8))
        np.testing.assert_allclose(tight[:, round(y0), round(x0)], 1.8 * wide[:, round(y1), round(x1)], atol=0.6)


def test_head_sways_by_pixels_at_most():
    clips = [clip(frames=60, apex=30, offset=59, sway=1.0, seed=seed) for seed in range(8)]
    reach = [np.abs(one.motion(59, 128)).max() for one in clips]
    assert 0.1 < np.median(reach) < 3 and max(reach) < 7


def test_noise_grows_with_the_signal_and_changes_every_frame():
    one, still = clip(frames=24, apex=12, offset=23, noise=1.0), clip(frames=24, apex=12, offset=23)
    pictures = one.render(SIZE).astype(float)
    spread = (pictures - pictures.mean((1, 2, 3), keepdims=True)).std(0).mean(-1)
    level = still.render(SIZE)[0].mean(-1)
    assert 0.5 < spread.mean() < 4
    assert spread[level > np.quantile(level, 0.9)].mean() > 1.2 * spread[level < np.quantile(level, 0.1)].mean()
    assert (still.render(SIZE) == still.render(SIZE)[0]).all()
