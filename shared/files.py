"""Files on disk: written whole or not at all, and under a checksum.

A JSON file carries its own checksum. A binary file of ours is vouched for by a JSON file, written after it, that holds
its CRC-32. Files of torch.save carry the checksums of zip: `runs.weights` compares them.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import UserError

MARKER = "GENERATED.txt"  # lies in a folder of synthetic faces and says so
SIGN = ".generated"  # lies in each corpus of them: no reader lists it, and copies have it
os.umask(UMASK := os.umask(0))  # rights that files do not get
REMEDY = "fix this and rerun the same command; it resumes"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, in one rename, when the block ends without an error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
    except OSError as error:
        raise UserError(f"cannot write in {path.parent}: {error.strerror}; {REMEDY}") from error
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~UMASK)
        os.replace(name, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; what was there before is unchanged; {REMEDY}"
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


class NotRegular(UserError, OSError):
    """A pipe, a device or a folder where a file was expected."""


def opened(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> IO[bytes]:
    """A regular file, or a link to one, opened for reading. Raises NotRegular: a pipe could be waited on for ever."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o644)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegular(f"{path} is not a regular file; put the file itself there")
    return open(handle, "rb")


def locked(path: Path, how: int = fcntl.LOCK_EX) -> IO[bytes]:
    """The lock `path`, held until it is closed or this process dies. A link is not followed, nothing is overwritten.

    Raises BlockingIOError where `how` is not to wait and another process holds it, UserError on a disk that cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = opened(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        fcntl.flock(lock, how)
    except (BlockingIOError, NotRegular):
        raise
    except OSError as error:
        what = f"{path.name} is a link" if error.errno == errno.ELOOP else error.strerror
        raise UserError(f"cannot write in {path.parent}: {what}; {REMEDY}") from error
    return lock


def held(path: Path) -> bool:
    """True while some process, or this one, holds the lock `path`."""
    try:
        with opened(path, os.O_RDONLY | os.O_NOFOLLOW) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def check_writable(folder: Path) -> None:
    """Raise UserError where `folder`, or the nearest one above it that exists, cannot be written in."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "Permission denied" if there.is_dir() else f"{there} is not a folder"
        raise UserError(f"cannot write in {folder}: {what}; {REMEDY}")


def write_binary(path: Path, parts: Iterable[bytes | memoryview]) -> int:
    """Write `parts`, one after the other, in one rename.

    Returns the file's CRC-32: the JSON file that is written after it and vouches for it holds that.
    """
    crc = 0
    # Plain writes: on a full disk one through a memory map ends the process without a word.
    with replacing(path) as temporary, open(temporary, "wb") as file:
        for part in parts:
            file.write(part)
            crc = zlib.crc32(part, crc)
    return crc


def chunks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The content of a regular file, of any size, a MiB at a time."""
    with opened(path) as file:
        while part := file.read(1 << 20):
            yield part


def intact(path: Path, crc: int) -> bool:
    """Whether `path` is there and holds what `write_binary` wrote, by its CRC-32."""
    found = 0
    try:
        for part in chunks(path):
            found = zlib.crc32(part, found)
    except OSError:
        return False
    return found == crc


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what processes that died in writing `name` left in `folder`; the caller holds the lock of `name`."""
    for half in folder.glob(f".{name}.*.tmp"):
        half.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as JSON, keys in the order given, and "crc", its checksum, in one rename."""
    content = {**content, "crc": _crc(content)}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, default=_jsonable))


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, in one rename; bytes of paths that are not UTF-8 as `\\udcff`, as JSON has them."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path: Path) -> dict[str, Any]:
    """Read a record. Raises UserError, naming the file, when it is not what was written."""
    try:
        with opened(path) as file:
            content = json.loads(file.read())
        if content.pop("crc", None) != _crc(content):
            raise ValueError("its checksum is another")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a whole record ({error}); remove it and rerun: the rest is kept") from error
    return content


def _crc(content: Mapping[str, Any]) -> int:
    """Of all but the times, so that two runs of one fold leave equal records."""
    kept = {key: value for key, value in content.items() if key != "times"}
    return zlib.crc32(json.dumps(kept, default=_jsonable).encode())


def digest(content: Any) -> str:
    """Twelve hexadecimal digits that name `content` (anything JSON can hold)."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_jsonable).encode()).hexdigest()[:12]


def jsonable(content: Any) -> Any:
    """`content` as it comes back from a JSON file: lists for tuples, numbers for numpy's."""
    return json.loads(json.dumps(content, default=_jsonable))


def _jsonable(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"a record cannot hold {type(value).__name__}")
