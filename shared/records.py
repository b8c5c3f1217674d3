"""Records of runs on disk: written whole or not at all, hashed, and compared before they are trusted."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import UserError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, in one rename, when the block ends without an error."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
    except OSError as error:
        raise UserError(f"cannot write in {path.parent}: {error.strerror}") from error
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; what was there before is unchanged"
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as JSON, keys in the order given, in one rename."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=_plain), encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a record. Raises UserError, naming the file, when it is not whole."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a whole record ({error}); remove it and run again: the rest is kept") from error


def digest(content: Any) -> str:
    """Twelve hexadecimal digits that name `content` (anything JSON can hold)."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode()).hexdigest()[:12]


def fingerprint(samples: pd.DataFrame) -> dict[str, Any]:
    """What a table of samples holds, short: counts and a digest of ids, labels, key frames and clip lengths."""
    columns = [c for c in ("sample", "subject", "target", "onset", "apex", "offset") if c in samples]
    lengths = [len(f) if hasattr(f, "__len__") else 0 for f in samples["frames"]]
    rows = samples[columns].astype(str).assign(length=lengths).sort_values("sample")
    return {"samples": len(rows), "subjects": int(rows["subject"].nunique()), "table": digest(rows.values.tolist())}


def refuse_others(path: Path, record: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise UserError, naming each entry of `wanted` that differs, when a record was made under other settings."""
    found, now = _flat({key: record.get(key) for key in wanted}), _flat(plain(wanted))
    differing = [
        f"  {key}: recorded {found.get(key, 'nothing')!r}, now {now.get(key, 'nothing')!r}"
        for key in sorted({*found, *now})
        if found.get(key) != now.get(key)
    ]
    if differing:
        remedy = "give another --out, or remove that folder to run it again"
        raise UserError("\n".join([f"{path} was made under other settings:", *differing, remedy]))


def plain(content: Any) -> Any:
    """`content` as it comes back from a record: lists for tuples, numbers for numpy's."""
    return json.loads(json.dumps(content, default=_plain))


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (Path, set, frozenset)):
        return str(value) if isinstance(value, Path) else sorted(value)
    raise TypeError(f"a record cannot hold {type(value).__name__}")
