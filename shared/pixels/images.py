"""One image file -> one array: decoded, cropped to its face, resized."""

import numpy as np
from PIL import Image

from ..corpora.samples import Problem
from ..errors import UserError
from ..files import REMEDY

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the released image
Size = int | tuple[int, int]  # of a square, or (height, width), in pixels
UNREADABLE = (OSError, SyntaxError, ValueError)  # what Pillow raises on files that are not whole, and BoxError


class BoxError(ValueError):
    """A box that holds no pixel of its image."""


def read(path: str, size: Size, *, box: Box | None = None, gray: bool = False, smooth: bool = True) -> np.ndarray:
    """One image, cropped to what it holds of `box` and resized to `size`: (H, W, C) uint8, C = 1 if `gray`, else 3.

    `smooth`: averages where it makes an image smaller; otherwise resizes as OpenCV does by default. No pixel from
    outside the box counts. Raises OSError when the file is cut off, BoxError when the box lies outside.
    """
    height, width = (size, size) if isinstance(size, int) else size
    with Image.open(path) as file:
        image = file.convert("L" if gray else "RGB")
    if box:  # cut out first: a resize of the box alone would mix in what lies around it
        image = image.crop(_within(box, image))
    if image.size != (width, height):
        if not smooth:
            return _resized_as_opencv(np.asarray(image).reshape(image.height, image.width, -1), height, width)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(height, width, -1)


def stream(path: str, size: Size, *, box: Box | None = None) -> np.ndarray:
    """`read` during a training. Raises UserError naming the file."""
    try:
        return read(path, size, box=box)
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; {REMEDY}") from error


def check(path: str, box: Box | None = None) -> None:
    """Decode an image, a JPEG at an eighth of its size. Raises what `read` raises."""
    with Image.open(path) as image:
        if box:
            _within(box, image)
        image.draft("L", (1, 1))
        image.load()


def problem_with(path: str, error: Exception, sample: str) -> Problem:
    """The problem of a sample whose image `path` raised `error`. Raises UserError where the disk is at fault."""
    if isinstance(error, OSError) and error.errno:  # not to be remembered
        raise UserError(f"{path} cannot be read: {error.strerror}; {REMEDY}") from error
    if isinstance(error, BoxError):
        return Problem(path, None, str(error), "correct it", sample)
    return Problem(path, None, f"the image cannot be decoded ({error})", "copy it again from the release", sample)


def _within(box: Box, image: Image.Image) -> Box:
    """The part of a box that lies in an image. Raises BoxError when there is none."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height)
    if left >= right or top >= bottom:
        raise BoxError(f"the box {box} lies outside the image of {image.width} × {image.height} pixels")
    return left, top, right, bottom


def _resized_as_opencv(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image (H, W, C) uint8 resized bilinearly, without averaging: (height, width, C) uint8.

    Each value comes from the four pixels around its place, in 11 bits, with the roundings of OpenCV's default.
    """

    def taps(n: int, count: int) -> tuple[np.ndarray, ...]:
        at = ((np.arange(count) + 0.5) * (n / count) - 0.5).clip(0, n - 1)
        low = at.astype(int)
        weight = np.rint((at - low).astype(np.float32) * 2048).astype(np.int32)
        return low, (low + 1).clip(max=n - 1), 2048 - weight, weight

    (top, bottom, a, b), (left, right, c, d) = taps(image.shape[0], height), taps(image.shape[1], width)
    wide = image.astype(np.int32)
    rows = (wide[:, left] * c[:, None] + wide[:, right] * d[:, None]) >> 4
    return (((rows[top] * a[:, None, None] >> 16) + (rows[bottom] * b[:, None, None] >> 16) + 2) >> 2).astype(np.uint8)
