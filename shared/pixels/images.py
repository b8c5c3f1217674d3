"""One image file -> one array: decoded upright in 8 bits, cropped to its face, resized. All images are read here.

Integers of 16 bits are scaled, 65,535 to 255; where they fill 12 bits or fewer, as cameras leave them, they are
refused, for faces would come out black. So are integers of 32 bits and floating-point numbers, whose range no file
declares, files of other kinds than FORMATS and images of more than PIXELS pixels.
"""

import re
from contextlib import suppress
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..corpora.samples import Problem
from ..errors import UserError
from ..files import REMEDY, opened

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the released image, upright
Size = int | tuple[int, int]  # of a square, or (height, width), in pixels
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")  # by content; other decoders of Pillow are never tried
PIXELS = 2**26  # of the largest image that is decoded, 8192 × 8192


class ImageError(ValueError):
    """An image file that cannot be decoded."""


UNREADABLE = (OSError, ImageError)  # what reading raises; an OSError where the disk is at fault


class BoxError(ImageError):
    """A box that holds no pixel of its image."""


def read(path: str, size: Size, *, box: Box | None = None, gray: bool = False, smooth: bool = True) -> np.ndarray:
    """One image, cropped to what it holds of `box` and resized to `size`: (H, W, C) uint8, C = 1 if `gray`, else 3.

    `smooth`: averages where it makes an image smaller; otherwise resizes as OpenCV does by default. No pixel from
    outside the box counts. Raises what `load` raises, BoxError when the box lies outside.
    """
    height, width = (size, size) if isinstance(size, int) else size
    image = load(path, "L" if gray else "RGB")
    if box:  # cut out first: a resize of the box alone would mix in what lies around it
        image = image.crop(_within(box, *image.size))
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


def load(path: str, mode: Literal["L", "RGB"], box: Box | None = None, *, quick: bool = False) -> Image.Image:
    """One image, upright, in 8 bits a channel; where `quick` a JPEG is decoded at an eighth of its size.

    Raises ImageError, BoxError where a `box` lies outside, OSError with a number where the disk is at fault.
    """
    try:
        with opened(path) as file, Image.open(file, formats=FORMATS) as image:
            size = image.size
            if size[0] * size[1] > PIXELS:
                raise ImageError(f"{size[0]} × {size[1]} pixels, more than {PIXELS:,}")
            if quick:
                image.draft("L", (1, 1))
            how = str([tile[3] for tile in image.tile])  # of 16 bits in colour Pillow keeps the upper 8
            deep = bool(re.search(";16|65535", how))
            image.load()
            upright = _upright(image)
            if box:
                _within(box, *(size if upright.size == image.size else size[::-1]))
            return _in_8_bits(upright, image.format, deep).convert(mode)
    except Exception as error:  # a damaged file makes Pillow raise anything
        if isinstance(error, BoxError) or (isinstance(error, OSError) and error.errno):
            raise
        what = f"no image of {', '.join(FORMATS)}" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(what or type(error).__name__) from error


def check(path: str, box: Box | None = None) -> None:
    """Decode an image, a JPEG at an eighth of its size. Raises what `read` raises."""
    load(path, "L", box, quick=True)


def problem_with(path: str, error: Exception, sample: str) -> Problem:
    """The problem of a sample whose image `path` raised `error`. Raises UserError where the disk is at fault."""
    if isinstance(error, OSError) and error.errno:  # not to be remembered
        raise UserError(f"{path} cannot be read: {error.strerror}; {REMEDY}") from error
    if isinstance(error, BoxError):
        return Problem(path, None, str(error), "correct it", sample)
    return Problem(path, None, f"the image cannot be decoded ({error})", "copy it again from the release", sample)


def _upright(image: Image.Image) -> Image.Image:
    """An image turned and mirrored as its EXIF orientation says."""
    with suppress(Exception):  # damaged metadata says nothing
        return ImageOps.exif_transpose(image)
    return image


def _in_8_bits(image: Image.Image, kind: str | None, deep: bool) -> Image.Image:
    """An image of a file of this kind in 8 bits a channel, of which the file has 16 if it is `deep`.

    Raises ImageError where its range is not known."""
    if image.mode == "F" or (image.mode == "I" and kind not in ("PNG", "PPM")):  # which hold at most 16 bits
        what = "floating-point numbers" if image.mode == "F" else "integers of 32 bits"
        raise ImageError(f"it holds {what}, whose range is not declared: convert it to 8 or 16 bits")
    if not (deep or image.mode.startswith("I")):
        return image
    values, kept = np.asarray(image), 16 if image.mode.startswith("I") else 8  # bits, the upper ones
    if 0 < (most := int(values.max()) << (16 - kept)) < 2**12:
        raise ImageError(f"no value of its 16 bits is over {most}: scale it to 8 bits or to all of its 16")
    if kept == 16:
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    return image


def _within(box: Box, width: int, height: int) -> Box:
    """The part of a box that lies in an image of this size. Raises BoxError when there is none."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if left >= right or top >= bottom:
        raise BoxError(f"the box {box} lies outside the image of {width} × {height} pixels")
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
