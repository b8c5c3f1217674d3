"""Keys: what a result depends on, written out beside it, so that a stale one is noticed and its differences are named.

Fold records, pre-trainings, prepared frames, derived arrays, decoded videos, boxes and weights all build theirs from
these: labels as read, files, code, settings.
"""

import ast
import hashlib
import os
import threading
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .files import chunks, digest, jsonable

if TYPE_CHECKING:  # the hub does without pandas
    import pandas as pd

VERIFY = "MER_VERIFY"  # set by --verify: files are known by their content
TIMES, CONTENT = "size and time of change", "content"
PARSING = threading.Lock()  # Python 3.11 raises SystemError where two threads parse at once
LABELS = ("sample", "subject", "target", "emotion", "aus", "au_codes", "edition", "fps", "onset", "apex", "offset")


def size_and_time(path: str | os.PathLike) -> str:
    """Size and time of change of a file. Raises OSError."""
    stat = os.stat(path)
    return f"{stat.st_size} {stat.st_mtime_ns}"


def fingerprint(path: str | os.PathLike) -> str:
    """The fingerprint of a file: its size and time of change or, under --verify, its content. Raises OSError."""
    return sha256(path) if VERIFY in os.environ else size_and_time(path)


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file. Raises OSError."""
    sha = hashlib.sha256()
    for part in chunks(path):
        sha.update(part)
    return sha.hexdigest()


def weights_key(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """A digest of the content of each published file, or "missing". A name is that of a file in `folder`, or a path."""
    found = {}
    for name in names:
        path = next((p for p in (folder / name, Path(name)) if p.is_file()), None)
        found[name] = _digest_of_large(path, size_and_time(path)) if path else "missing"
    return found


@cache
def _digest_of_large(path: Path, seen: str) -> str:
    """The first digits of `sha256`, computed again only when `seen`, the file's size and time of change, differs."""
    return sha256(path)[:16]


def table_key(samples: "pd.DataFrame") -> dict[str, Any]:
    """Counts of a table of samples, and a digest of its ids, labels, key frames, clip lengths and boxes."""
    columns = [c for c in LABELS if c in samples]
    clips = [str((len(frames), frames.box)) for frames in samples["frames"]]
    rows = samples[columns].astype(str).assign(clip=clips).sort_values("sample")
    return {"samples": len(rows), "subjects": int(rows["subject"].nunique()), "table": digest(rows.values.tolist())}


def pixels_key(samples: "pd.DataFrame") -> dict[str, str]:
    """Digests of the image files of a table of samples: of sizes and times and, under --verify, of their content.

    Raises UserError for a file that cannot be read.
    """
    kinds = {TIMES: size_and_time} | ({CONTENT: sha256} if VERIFY in os.environ else {})
    shas = {name: hashlib.sha256() for name in kinds}
    for sample, frames in sorted(zip(samples["sample"], samples["frames"], strict=True), key=lambda row: row[0]):
        video = not hasattr(frames, "numbers")
        for number, path in [(0, frames.path)] if video else ((n, frames.path(n)) for n in frames.numbers):
            try:
                for name, kind in kinds.items():
                    shas[name].update(f"{sample} {number} {kind(path)}\n".encode(errors="surrogateescape"))
            except OSError as error:
                raise UserError(f"{path} cannot be read any more: {error.strerror}; copy it again") from error
    return {name: sha.hexdigest()[:16] for name, sha in shas.items()}


@cache
def code_key(*modules: str) -> str:
    """Twelve digits of the sources of modules and of all that they import, but for types, from their packages and
    `shared`."""
    tops = {"shared", *(name.partition(".")[0] for name in modules)}
    sources, todo = {}, list(modules)
    while todo:
        name = todo.pop()
        if name in sources or name.partition(".")[0] not in tops:
            continue
        try:
            spec = find_spec(name)
        except ModuleNotFoundError:  # `from .module import name`: a name that is no module
            continue
        if spec is None or spec.origin is None:
            continue
        sources[name] = Path(spec.origin).read_text(encoding="utf-8")
        package = name if spec.submodule_search_locations else name.rpartition(".")[0]
        todo += _imports(sources[name], package)
    return digest(sources)


@cache
def _imports(source: str, package: str) -> list[str]:
    """The modules that a module's source imports, and what it takes from them, but for types."""
    with PARSING:
        tree = ast.parse(source)
    tree.body = [n for n in tree.body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base = resolve_name(base, package) if node.level else base
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """A line for each entry of `wanted` that is another in `found`.

    Entries `but` are not compared; files are compared by content where both sides know it.
    """
    before, now = _flat({key: found.get(key) for key in wanted}), _flat(jsonable(wanted))
    for key in [k for k in {*before, *now} if k.endswith(f".{CONTENT}")]:
        left_out = key.removesuffix(CONTENT) + TIMES if key in before and key in now else key
        before.pop(left_out, None)
        now.pop(left_out, None)
    return [
        f"{key}: recorded {_short(before.get(key, 'nothing'))}, now {_short(now.get(key, 'nothing'))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key) and key.rpartition(".")[2] not in but
    ]


def of_code_alone(lines: Iterable[str]) -> bool:
    """Whether lines of `differing` are of code alone, so that --accept-code uses what was found."""
    return all(line.partition(":")[0].endswith("code") for line in lines)


def refuse_others(
    path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], but: Collection[str] = (), half: bool = False
) -> None:
    """Raise UserError, naming each entry that is `differing`, when what lies in `path` depends on something else.

    Of a training that is `half` done no other code is accepted."""
    if lines := differing(found, wanted, but):
        folder = path.parent.parent if path.parent.name == ".claims" else path.parent
        remedy = f"give another --out, or remove {folder} to run it again"
        if not half and of_code_alone(lines):
            remedy = f"--accept-code uses it and says so under the table; or {remedy}"
        copied = VERIFY not in os.environ and any(f".{TIMES}:" in line for line in lines)
        if copied and any(key.endswith(f".{CONTENT}") for key in _flat(found)):
            remedy = f"--verify compares the files by content, if they were only copied; or {remedy}"
        raise UserError("\n  ".join([f"{path} was made under other settings:", *lines]) + f"\n{remedy}")


def _short(value: Any) -> str:
    """A value in a message; of long lists the first entries."""
    if isinstance(value, list) and len(value) > 3:
        return f"{len(value)}: {', '.join(map(str, value[:3]))}, …"
    return repr(value)


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
