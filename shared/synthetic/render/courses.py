"""Courses over the T frames of a clip: action units, head, lids, eyes, lamps. Times in seconds unless named frames."""

import numpy as np


def rise_and_fall(
    rng: np.random.Generator, frame: np.ndarray, onset: int, apex: int, offset: int, fps: float
) -> np.ndarray:
    """Intensity (T,) in 0..1 at each `frame`: 0 up to the onset, 1 at the apex, at the offset a rest that dies away."""
    late, wobble, hold = rng.uniform(0, 0.12), rng.uniform(-0.45, 0.45, 2), rng.uniform(0, 0.25)
    rest = rng.uniform(0.02, 0.07)
    rise = np.clip((frame - onset) / max(apex - onset, 1), 0, 1)
    rise = np.clip((rise - late) / (1 - late), 0, 1)
    rise = rise + wobble[0] * np.sin(2 * np.pi * rise) / (2 * np.pi)
    fall = np.clip((frame - apex) / max(offset - apex, 1), 0, 1)
    fall = fall + wobble[1] * np.sin(2 * np.pi * fall) / (2 * np.pi)
    down = np.clip((fall - hold) / (1 - hold), 0, 1)
    rise, down = (s**2 * (3 - 2 * s) for s in (rise, down))
    curve = np.where(frame < apex, rise, 1 - 0.03 * fall - (0.97 - rest) * down)
    after = np.clip(frame - offset, 0, None)
    if offset > apex:
        curve = np.where(frame > offset, rest * np.exp(-after / (0.12 * fps)), curve)
    return np.where((frame <= onset) & (onset < apex) | (frame < onset), 0, curve)


def _slow(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """A slow wandering of about unit size, (T,)."""
    rates = np.array((0.13, 0.31, 0.62, 1.1)) * rng.uniform(0.8, 1.25, 4)
    size = rng.normal(0, 1, len(rates)) / np.sqrt(np.arange(1, len(rates) + 1))
    phase = rng.uniform(0, 1, len(rates))
    return (size * np.sin(2 * np.pi * (seconds[:, None] * rates + phase))).sum(1)


def sway_of_head(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Pose of the head, (T, 6): right and down in cm, roll in rad, approach; yaw and pitch in cm per cm of depth."""
    size = (0.07, 0.06, 0.006, 0.003, 0.012, 0.012)
    return np.stack([s * _slow(rng, seconds) for s in size], 1).astype(np.float32)


def blinks(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Closure of the lids by blinks, (T,) in 0..1: about 15 a minute, of .15 to .3 s, faster down than up."""
    shut, at = np.zeros(len(seconds)), rng.exponential(4) - 0.2
    while at < seconds[-1] + 0.5:
        s = (seconds - at) / rng.uniform(0.15, 0.3)
        shut = np.maximum(shut, np.clip(np.minimum(s / 0.3, (1 - s) / 0.6), 0, 1))
        at += 0.5 + rng.exponential(3.5)
    return (shut * shut * (3 - 2 * shut)).astype(np.float32)


def gaze(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Shift of the eyes, (T, 2) in cm: they rest on one spot for a while, then on another."""
    look, at = rng.normal(0, 0.05, 2), rng.exponential(1.5)
    place = np.tile(look, (len(seconds), 1))
    while at < seconds[-1]:
        turn = rng.normal(0, 0.05, 2) - look
        place += np.clip((seconds - at) / 0.04, 0, 1)[:, None] * turn
        look, at = look + turn, at + 0.2 + rng.exponential(1.5)
    return place.astype(np.float32)


def flicker(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Relative change of the light, (T,): mains hum seen through the shutter, and a slow drift."""
    hum = rng.uniform(0.001, 0.004) * np.sin(2 * np.pi * (seconds * rng.uniform(3, 20) + rng.uniform()))
    return (hum + 0.003 * _slow(rng, seconds) + 0.001 * rng.standard_normal(len(seconds))).astype(np.float32)
