"""Videos -> folders of images in the cache, each decoded once: from there on a video is a clip like any other."""

import dataclasses
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..corpora.folders import list_frames
from ..corpora.samples import Frames, Problem, Reading, Video
from ..errors import UserError
from ..files import REMEDY, digest, locked, opened, read_json, write_json
from ..keys import code_key, fingerprint
from .images import PIXELS

WHOLE = 0.9  # share of the frames that a file's header announces from which it counts as whole: headers miscount a few
CONTAINERS = "avi,mov,mp4,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg"  # no lists, which name other files
SIZES = "sizes.json"  # beside the images of a video


def decoded(reading: Reading, cache: Path) -> Reading:
    """The reading with each Video as the Frames of its images, numbered from 0; a missing offset is the last frame.

    A video is decoded once, into a folder named by a digest of its path, its fingerprint and the code. One that cannot
    be decoded leaves the samples and joins the problems. Raises UserError when the cache cannot be written.
    """
    samples = reading.samples
    videos = list(dict.fromkeys(f for f in samples["frames"] if isinstance(f, Video)))
    if not videos:
        return reading
    cache /= "videos"
    with locked(cache / ".lock"), ThreadPoolExecutor(os.cpu_count()) as pool:
        clips = pool.map(lambda video: _images(video.path, cache), videos)
        bar = tqdm(clips, f"decoding {reading.corpus}", len(videos), unit="video", disable=None, leave=False)
        found = dict(zip(videos, bar, strict=True))
    samples = samples.assign(frames=[found[f] if isinstance(f, Video) else f for f in samples["frames"]])
    broken = np.array([isinstance(f, Problem) for f in samples["frames"]])
    problems = [dataclasses.replace(row.frames, sample=row.sample) for row in samples[broken].itertuples()]
    samples = samples[~broken].reset_index(drop=True)
    last = pd.Series([f.numbers[-1] for f in samples["frames"]], index=samples.index, dtype="Int64")
    samples["offset"] = samples["offset"].fillna(last)
    return dataclasses.replace(reading, samples=samples, problems=[*reading.problems, *problems])


def _images(path: str, cache: Path) -> Frames | Problem:
    """The images of a video, from the cache or decoded into it."""
    try:
        key = digest([os.path.abspath(path), fingerprint(path), code_key(__name__)])
    except OSError as error:
        return Problem(path, None, f"cannot be read: {error.strerror}", "copy it again from the release")
    folder = cache / key
    if not _complete(folder):
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or left by a process that died
        try:
            fault = _decode(path, folder)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            message = f"cannot write the frames of {path} in {cache}: {error.strerror or error}; {REMEDY}"
            raise UserError(message) from error
        if fault:
            shutil.rmtree(folder)
            return Problem(path, None, fault, "copy it again from the release")
        changed = os.stat(path).st_mtime_ns
        for image in folder.glob("*.jpg"):  # by whose times keys know them: decoded again, they are the same
            os.utime(image, ns=(changed, changed))
    return list_frames(str(folder))


def _complete(folder: Path) -> bool:
    """Whether a folder of the cache is there and its images have the sizes that were written."""
    try:
        return read_json(folder / SIZES) == _sizes(folder)
    except (UserError, OSError):
        return False


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each image."""
    return {path.name: path.stat().st_size for path in sorted(folder.glob("*.jpg"))}


def _decode(path: str, folder: Path) -> str | None:
    """Decode a video into a new folder; its sizes, written last, vouch for it. Returns the video's fault, if any."""
    import av

    folder.mkdir()
    count = 0
    try:
        with opened(path) as file, av.open(file, options={"format_whitelist": CONTAINERS}) as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > PIXELS:
                return f"its frames have {stream.width} × {stream.height} pixels, more than {PIXELS:,}"
            for picture in container.decode(stream):
                image = picture.to_image()
                if picture.rotation:  # degrees anticlockwise, as phones note them
                    image = image.rotate(picture.rotation, expand=True)
                # With little loss: micro-movements are faint.
                image.save(folder / f"{count:06d}.jpg", quality=95, subsampling=0)
                count += 1
            announced = stream.frames
    except Exception as error:  # a damaged file makes FFmpeg raise anything
        if isinstance(error, OSError) and error.errno and not isinstance(error, av.error.FFmpegError):
            raise
        return f"the video cannot be decoded after {count} frames ({error})"
    if count == 0 or count < WHOLE * announced:
        return f"the video is cut off: {count} of {announced or 'no'} frames"
    write_json(folder / SIZES, _sizes(folder))
    return None
