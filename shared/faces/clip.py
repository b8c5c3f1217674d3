"""A clip: action units over time, and everything else that moves while a face is filmed; its pictures and its truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.special import ndtri
from torch.nn.functional import grid_sample

from .actions import ACTIONS, AUS, drive, moves, shading
from .anatomy import SIDES, Person, View, eye_lines, lip_lines
from .paint import Layers, layers

CHUNK = 16  # frames drawn at once: as many as stay in the processor's cache
GRAIN = ndtri((np.arange(256) + .5) / 256).astype(np.float32)  # a normal draw for a random byte


class Clip:
    """Onset, apex and offset of `aus` (number -> peak intensity 0..1) in `frames` pictures of a person.

    `onset`, `apex` and `offset` count frames from 0. `sides` names units that one side shows: "L" or "R" of the subject.
    `sway`, `noise` scale the movement of the head, and of sensor and lamps. `scene` seeds light and background; without
    one they are the person's own laboratory. Raises ValueError for frames out of order and units unknown.
    """

    def __init__(
        self, person: Person, aus: Mapping[int, float], *, frames: int, onset: int, apex: int, offset: int, fps: float,
        seed: int, sides: Mapping[int, str] = {}, sway: float = 1.0, blink: bool = True, noise: float = 1.0,  # noqa: B006
        scene: int | None = None,
    ):  # fmt: skip
        if not 0 <= onset <= apex <= offset < frames:
            raise ValueError(f"0 <= onset <= apex <= offset < frames wanted: {onset}, {apex}, {offset}, {frames}")
        if unknown := sorted(set(aus) - set(AUS)):
            raise ValueError(f"action units {unknown} are not among {AUS}")
        self.person, self.aus, self.sides, self.scene = person, dict(aus), dict(sides), scene
        self.frames, self.onset, self.apex, self.offset, self.fps = frames, onset, apex, offset, fps
        self.seed, self.noise = seed, noise
        self.intensities = np.zeros((frames, len(AUS)), np.float32)
        self._gain = {}
        for au, peak in sorted(aus.items()):
            rng = np.random.default_rng([seed, 1, au])
            self.intensities[:, AUS.index(au)] = peak * _course(rng, np.arange(frames), onset, apex, offset, fps)
            lean = float(np.clip(.09 * rng.standard_normal(), -.2, .2))
            self._gain[au] = {s: 1 + k * lean if sides.get(au, s) == s else 0. for s, k in SIDES.items()}
        seconds = np.arange(frames) / fps
        self._pose = sway * _sway(np.random.default_rng([seed, 2]), seconds)
        self._blink = _blinks(np.random.default_rng([seed, 3]), seconds) * blink
        self._gaze = _gaze(np.random.default_rng([seed, 4]), seconds) * min(1, sway)
        self._lamp = 1 + noise * _flicker(np.random.default_rng([seed, 5]), seconds)

    def render(self, size: int | tuple[int, int], *, margin: float = 0.0, gray: bool = False) -> np.ndarray:
        """The pictures, uint8 (T, H, W, 3), or (T, H, W) when gray. `size`: a side or (height, width) in pixels."""
        L = layers(self.person, View.of(size, margin), self.scene, gray)
        stage = Stage(self, L)
        rng = np.random.default_rng([self.seed, 6])
        pictures = np.empty((self.frames, *L.behind.shape[1:], L.behind.shape[0]), np.uint8)
        for start in range(0, self.frames, CHUNK):
            now = slice(start, min(start + CHUNK, self.frames))
            picture = stage.picture(now) * torch.from_numpy(self._lamp[now, None, None, None])
            if self.noise:
                grain = torch.from_numpy(GRAIN[np.frombuffer(rng.bytes(picture.numel()), np.uint8)].reshape(picture.shape))
                picture += grain * (.0035 + .0075 * picture.clamp(0).sqrt()) * self.noise
            pictures[now] = picture.mul_(255).add_(.5).clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return pictures[..., 0] if gray else pictures

    def motion(self, t: int, size: int | tuple[int, int], margin: float = 0.0) -> np.ndarray:
        """True displacement in pixels from the onset frame to frame t, float32 (2, H, W): u to the right, v down."""
        L = layers(self.person, View.of(size, margin), self.scene, True)
        return Stage(self, L).motion(self.onset, t).numpy()


class Stage:
    """A clip in one view: where each pixel of a frame comes from on the resting face, and what is seen there.

    A pixel p shows the skin of q = p - (head + muscles) at rest, then lids and lips shift q up or down beside their slits.
    """

    def __init__(self, clip: Clip, L: Layers):
        self.clip, self.L, person = clip, L, clip.person
        self.t, view = person.traits, L.view
        x, y = view.grid()
        self.grid = torch.from_numpy(np.stack([x, y]))
        self.half = torch.tensor([L.canvas.half_x, L.canvas.half_y])[:, None, None]
        one, zero = np.ones_like(x), np.zeros_like(x)
        depth = L.depth
        head = ((one, zero), (zero, one), (-y, x), (x, y), (depth, zero), (zero, depth))
        self.fields = [(torch.from_numpy(np.stack(f)), torch.from_numpy(clip._pose[:, i])) for i, f in enumerate(head)]
        self.head_fields, self.shades = len(self.fields), []
        self.lids = {s: np.zeros((2, clip.frames), np.float32) for s in SIDES}
        self.part, self.jaw = np.zeros((2, clip.frames), np.float32), np.zeros(clip.frames, np.float32)
        for au, gain in clip._gain.items():
            action, course = ACTIONS[au], drive(clip.intensities[:, AUS.index(au)])
            field = sum(g * L.cached(("moves", au, s), lambda: moves(person, x, y, au, s)) for s, g in gain.items())  # noqa: B023
            shade = sum(g * L.cached(("shade", au, s), lambda: shading(person, L.height, L.coarse, L.light, au, s))  # noqa: B023
                        for s, g in gain.items())  # fmt: skip
            if field.any():
                self.fields.append((torch.from_numpy(field), torch.from_numpy(course)))
            if shade.any():
                self.shades.append((torch.from_numpy(shade)[None], torch.from_numpy(course)))
            for s, g in gain.items():
                self.lids[s] += g * course * np.array([[action.lid_upper], [action.lid_lower]], np.float32)
            both = sum(gain.values()) / 2
            self.part += both * course * np.array(action.part, np.float32)[:, None]
            self.jaw += both * course * action.jaw
        for s in SIDES:
            upper = np.minimum(self.lids[s][0], 1)
            self.lids[s] = torch.from_numpy(np.stack([upper + (1 - upper) * clip._blink, np.minimum(self.lids[s][1], .8)]))
        self.part, self.jaw = torch.from_numpy(self.part), torch.from_numpy(self.jaw)
        self.open = bool((self.part > 0).any() or (self.jaw > 0).any())

    def box(self, x0, x1, y0, y1):
        """Rows and columns of the picture that show this part of the face."""
        view = self.L.view
        (c0, r0), (c1, r1) = view.pixel(x0, y0), view.pixel(x1, y1)
        rows = slice(max(0, int(r0)), max(0, min(view.height, int(r1) + 2)))
        return (slice(None), rows, slice(max(0, int(c0)), max(0, min(view.width, int(c1) + 2))))

    def eye_box(self, side):
        x = SIDES[side] * self.t.eye_x
        return self.box(x - self.t.eye_len - .6, x + self.t.eye_len + .6, self.t.eye_y - 1.9, self.t.eye_y + 2.1)

    def mouth_box(self):
        return self.box(-30, 30, self.t.mouth_y - 2.6, 40)

    def total(self, now, fields):
        """Displacement (T, 2, h, w) of the summed fields in these frames."""
        field, course = fields[0]
        out = field * course[now, None, None, None]
        for field, course in fields[1:]:
            out.addcmul_(field, course[now, None, None, None])
        return out

    def lid_knots(self, x, now, side):
        """Heights at rest and now of: a point on the lid's fold, both margins, a point on the cheek."""
        upper, lower, shut = eye_lines(self.t, x, side)
        close, rise = (v[now, None, None] for v in self.lids[side])
        rest = (upper - .55, upper, lower, lower + .9)
        return rest, (rest[0], upper + (shut - upper) * close, lower - (lower - shut) * rise, rest[3])

    def lip_knots(self, x, now):
        """Heights at rest and now of: under the nose, upper lip's edge, lower lip's edge, chin, neck."""
        t = self.t
        _, line, _ = lip_lines(t, x)
        slit = (1 - (x / t.mouth_w) ** 2).clip(0) ** .85
        jaw = self.jaw[now, None, None]
        rest = (line - 1.8, line, line, line * 0 + t.chin_y, line * 0 + t.chin_y + 5)
        up, down = (v[now, None, None] for v in self.part)
        return rest, (rest[0], line - up * slit, line + (down + jaw) * slit, rest[3] + jaw / (1 + (x / 4.4) ** 4), rest[4])

    def sources(self, now):
        """(T, 2, h, w): the resting place in cm of what each pixel shows, and the slits as (box, x, y, above, below)."""
        q = self.grid - self.total(now, self.fields)
        slits = []
        boxes = [(self.eye_box(s), lambda x, s=s: self.lid_knots(x, now, s)) for s in SIDES]
        if self.open:
            boxes.append((self.mouth_box(), lambda x: self.lip_knots(x, now)))
        for box, knots in boxes:
            part = q[:, :, box[1], box[2]]
            x, y = part[:, 0], part[:, 1].clone()
            rest, moved = knots(x)
            part[:, 1] += shift(y, moved, rest)
            slits.append((box, x, y, moved[1], moved[2]))
        return q, slits

    def sample(self, layer, q):
        at = (q - torch.tensor([0., self.L.view.y])[:, None, None]) / self.half
        return grid_sample(layer.expand(len(q), *layer.shape[-3:]), at.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)

    def picture(self, now):
        """Frames without noise, float32 (T, C, h, w), 0..1."""
        L, scale = self.L, self.L.view.scale
        q, slits = self.sources(now)
        skin = self.sample(L.skin, q)
        colour, cover = skin[:, :-1], skin[:, -1:]
        if self.shades:
            colour = colour * self.sample(1 + self.total(now, self.shades), q)
        head = self.grid - self.total(now, self.fields[: self.head_fields])
        for i, (box, _, y, above, below) in enumerate(slits):
            rows, columns = box[1:]
            seen = head[:, :, rows, columns].clone()
            if i < 2:
                seen -= torch.from_numpy(self.clip._gaze[now])[:, :, None, None]
                inner = self.sample(L.eyes, seen) * (.35 + .65 * ((y - above) / .34).clamp(0, 1) ** .6)[:, None]
            else:
                inner = self.sample(L.mouth, seen) * (.25 + .75 * ((y - above) / .5).clamp(0, 1))[:, None]
            hole = (((y - above) * scale).clamp(0, 1) * ((below - y) * scale).clamp(0, 1))[:, None]
            part = colour[:, :, rows, columns]
            part += (inner - part) * hole
        colour = L.behind + (colour - L.behind) * cover
        if L.glasses is not None:
            glasses = self.sample(L.glasses, head)
            colour += (glasses[:, :-1] - colour) * glasses[:, -1:]
        return colour

    def motion(self, start, end):
        """Displacement in pixels (2, h, w) from frame `start` to frame `end` of what each pixel shows at `start`."""
        one, two = slice(start, start + 1), slice(end, end + 1)
        q, slits = self.sources(one)
        boxes = [(self.eye_box(s), lambda x, s=s: self.lid_knots(x, two, s)) for s in SIDES]
        if self.open:
            boxes.append((self.mouth_box(), lambda x: self.lip_knots(x, two)))
        for box, knots in boxes:
            part = q[:, :, box[1], box[2]]
            x, y = part[:, 0], part[:, 1].clone()
            rest, moved = knots(x)
            part[:, 1] += shift(y, rest, moved)
        field, place = self.total(two, self.fields), q
        for _ in range(16):
            place = q + self.on_view(field, place)
        moved = place - self.grid
        gaze = torch.from_numpy(self.clip._gaze[[start, end]])
        turn = (self.total(two, self.fields[:6]) - self.total(one, self.fields[:6])) + (gaze[1] - gaze[0])[:, None, None]
        for box, _, y, above, below in slits[:2]:
            part = moved[:, :, box[1], box[2]]
            part.copy_(torch.where(((y > above) & (y < below))[:, None], turn[:, :, box[1], box[2]], part))
        return moved[0] * self.L.view.scale

    def on_view(self, field, place):
        view = self.L.view
        half = torch.tensor([view.half_x, view.half_y])[:, None, None]
        at = (place - torch.tensor([0., view.y])[:, None, None]) / half
        return grid_sample(field, at.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def shift(y, before, after):
    """How far y moves under the map that takes the heights `before` to `after` and is straight between them."""
    moved = [b - a for a, b in zip(before, after, strict=True)]
    total = torch.zeros_like(y)
    for a, b, m, n in zip(before, before[1:], moved, moved[1:], strict=False):
        total += ((y - a) / (b - a).clamp_min(1e-4)).clamp(0, 1) * (n - m)
    return total


def _course(rng, frame, onset, apex, offset, fps):
    """Rise and fall between 0 and 1: nothing up to the onset, most at the apex, a small rest at the offset that dies away."""
    late, wobble, hold = rng.uniform(0, .12), rng.uniform(-.45, .45, 2), rng.uniform(0, .25)
    rest = rng.uniform(.02, .07)
    curve = np.zeros(len(frame))
    rise = np.clip((frame - onset) / max(apex - onset, 1), 0, 1)
    rise = np.clip((rise - late) / (1 - late), 0, 1)
    rise = rise + wobble[0] * np.sin(2 * np.pi * rise) / (2 * np.pi)
    fall = np.clip((frame - apex) / max(offset - apex, 1), 0, 1)
    fall = fall + wobble[1] * np.sin(2 * np.pi * fall) / (2 * np.pi)
    down = np.clip((fall - hold) / (1 - hold), 0, 1)
    smooth = lambda s: s**2 * (3 - 2 * s)
    curve = np.where(frame < apex, smooth(rise), 1 - .03 * fall - (.97 - rest) * smooth(down))
    after = np.clip(frame - offset, 0, None)
    if offset > apex:
        curve = np.where(frame > offset, rest * np.exp(-after / (.12 * fps)), curve)
    return np.where((frame <= onset) & (onset < apex) | (frame < onset), 0, curve)


def _slow(rng, seconds, rates=(.13, .31, .62, 1.1)):
    """A slow wandering of about unit size."""
    rates = np.array(rates) * rng.uniform(.8, 1.25, len(rates))
    size = rng.normal(0, 1, len(rates)) / np.sqrt(np.arange(1, len(rates) + 1))
    return (size * np.sin(2 * np.pi * (seconds[:, None] * rates + rng.uniform(0, 1, len(rates))))).sum(1)


def _sway(rng, seconds):
    """Head, (T, 6): to the right and down in cm, roll (rad), approach, yaw and pitch as cm a cm of depth."""
    size = (.07, .06, .006, .003, .012, .012)
    return np.stack([s * _slow(rng, seconds) for s in size], 1).astype(np.float32)


def _blinks(rng, seconds):
    """How far a blink shuts the lids, (T,): about 15 a minute, of .15 to .3 s, quicker down than up."""
    shut, at = np.zeros(len(seconds)), rng.exponential(4) - .2
    while at < seconds[-1] + .5:
        s = (seconds - at) / rng.uniform(.15, .3)
        shut = np.maximum(shut, np.clip(np.minimum(s / .3, (1 - s) / .6), 0, 1))
        at += .5 + rng.exponential(3.5)
    return (shut * shut * (3 - 2 * shut)).astype(np.float32)


def _gaze(rng, seconds):
    """Eyes, (T, 2) in cm: looks at one spot for a while, then at another."""
    place, at = np.zeros((len(seconds), 2)), rng.exponential(1.5)
    look = rng.normal(0, .05, 2)
    place += look
    while at < seconds[-1]:
        turn = rng.normal(0, .05, 2) - look
        place += np.clip((seconds - at) / .04, 0, 1)[:, None] * turn
        look, at = look + turn, at + .2 + rng.exponential(1.5)
    return place.astype(np.float32)


def _flicker(rng, seconds):
    """Relative change of the light, (T,): mains hum seen through the shutter, and a slow drift."""
    hum = rng.uniform(.001, .004) * np.sin(2 * np.pi * (seconds * rng.uniform(3, 20) + rng.uniform()))
    return (hum + .003 * _slow(rng, seconds) + .001 * rng.standard_normal(len(seconds))).astype(np.float32)
