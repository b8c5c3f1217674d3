"""Weights on disk: those of a fold, with all that it takes to build its network; and published files, read safely."""

import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..errors import UserError
from ..files import intact, opened, read_json
from ..keys import VERIFY
from .published import Published

ROOT = Path(__file__).parents[2]
FITTED = "model.safetensors"  # what `fit` leaves


def packed(state: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> bytes:
    """The content of a .safetensors file that holds `state` and, in its header, `about` (anything JSON can hold)."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    return save(tensors, {"about": json.dumps(about)} if about else None)


def weights_path(record_path: Path) -> Path:
    """The file of a fold's weights, beside its record."""
    return record_path.with_suffix(".safetensors")


def named_weights(path: Path) -> Path:
    """The weights that a user names: their file, the record beside them, or the folder that `fit` left.

    Raises UserError for any other file, and for one that is not there."""
    if path.is_dir():
        return path / FITTED
    if path.suffix not in (".json", ".safetensors"):
        raise UserError(f"{path} is neither a record (.json) nor the weights beside it (.safetensors)")
    weights = path.with_suffix(".safetensors")
    if not path.exists() and not weights.exists():
        raise UserError(f"{path} is not there")
    return weights


def weights_fault(record_path: Path, record: Mapping[str, Any]) -> str:
    """The fault of the weights that a fold's record vouches for: missing, or another fold's; "" where there is none.

    Under --verify their whole content is compared.
    """
    path, crc = weights_path(record_path), record["kept weights"]
    if crc is None:
        return ""
    if not path.is_file():
        return f"{path} is missing, which its record says was kept"
    if VERIFY in os.environ:
        same = intact(path, crc)
    else:
        try:
            about = header(path)
            same = all(about[key] == record[key] for key in ABOUT)
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            same = False
    return "" if same else f"{path} is not the file that was written beside its record"


ABOUT = ("fold", "seed", "task", "config", "scale", "generated", "code")  # what a header shares with its record


def header(path: Path) -> dict[str, Any]:
    """The `about` of a .safetensors file that a run left."""
    with safe_open(path, "pt") as file:
        if "about" not in (metadata := file.metadata() or {}):
            raise ValueError("its header does not say what it holds")
        return json.loads(metadata["about"])


@contextmanager
def weights_of_a_run(path: Path) -> Iterator[None]:
    """Around code that uses what a run left in `path`: raises its faults as a UserError that names it."""
    try:
        yield
    except Exception as error:  # tensors and settings that do not fit make torch and networks raise anything
        reason = str(error) if isinstance(error, (UserError, ValueError, RuntimeError)) else repr(error)
        raise UserError(f"{path} does not hold a network that a run left: {reason}; rerun its row") from error


def load_network(path: str | Path, package: str = "") -> tuple[nn.Module, dict[str, Any]]:
    """The network of `package`, or of any paper, that a run left in `path`, in eval mode; and its header, its `about`.

    Only what the package exports is ever made, whatever the file asks for. Raises UserError for any other file, and for
    weights that are not finite.
    """
    path = Path(path)
    if path.suffix == ".json":
        raise UserError(f"{path} is a record; the weights are {weights_path(path)}, beside it")
    if not path.is_file():
        raise UserError(f"{path} is not there, or no file; runs leave a fold's weights beside its record")
    if vouched := _vouched(path):
        raise UserError(f"{path} is not the file that was written beside {vouched}; copy both again, or rerun its row")
    with weights_of_a_run(path):
        about = header(path)
        own = str(about["package"])
    if not package and own.isidentifier() and (ROOT / own / "experiments.py").is_file():
        package = own
    if own != package:
        raise UserError(f"{path} holds a network of {own}, not of {package or 'this project'}")
    with weights_of_a_run(path):
        exported = import_module(package)
        if about["network"] not in exported.__all__:
            raise ValueError(f"{package} exports no {about['network']}")
        state = load_file(path)
        refuse_infinite(state)
        net = getattr(exported, about["network"])(**about["arguments"])
        net.load_state_dict(state)
    object.__setattr__(net, "about", about)
    return net.eval(), about


def _vouched(path: Path) -> Path | None:
    """The record beside weights that vouches for others than these; None where there is none."""
    record_path = path.with_suffix(".json")
    try:
        crc = read_json(record_path).get("kept weights")
    except (UserError, OSError):  # no record
        return None
    return None if crc is None or intact(path, crc) else record_path


def read_tensors(path: Path) -> Any:
    """The content of a .safetensors file, or of one of torch.save; nothing in it is executed.

    For use within `published_weights`.
    """
    content: Any
    if path.suffix == ".safetensors":
        content = load_file(path)
    elif zipfile.is_zipfile(path):
        content = load_zip(path)
    else:
        content = torch.load(path, map_location="cpu", weights_only=True)
    tensors = content.get("state_dict", content) if isinstance(content, dict) else {}
    refuse_infinite({name: value for name, value in tensors.items() if isinstance(value, Tensor)})
    return content


def refuse_infinite(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError where not all values are finite numbers."""
    if bad := [name for name, value in tensors.items() if not value.isfinite().all()]:
        raise ValueError(f"not all of its values are finite numbers: {', '.join(bad[:3])}")


def load_zip(path: Path) -> Any:
    """The content of a file of torch.save, on the CPU; nothing in it is executed.

    Raises ValueError where one of zip's own checksums, which torch does not compare, differs; and what torch raises.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as parts:
            damaged = parts.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, RuntimeError, zlib.error) as error:
        raise ValueError("it is not a whole file of torch.save") from error
    if damaged:
        raise ValueError(f"its checksum of {damaged} differs")
    return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def published_weights(path: Path, file: Published) -> Iterator[Path]:
    """Around code that reads `file`, weights of others, from `path`, its value: raises faults of it as a UserError.

    Files are read as tensors alone: nothing in them is ever executed.
    """
    remedy = f"--weights names the folder; {file.without}\n{file.origin}"
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a regular file: {file.what}\n{remedy}")
    try:
        yield path
    except FileNotFoundError as error:
        what = f"{path} is not there" if error.errno else str(error)
        raise UserError(f"{what}: {file.what}\n{remedy}") from error
    except (pickle.UnpicklingError, EOFError) as error:
        raise UserError(
            f"{path} holds more than tensors, or is cut off, and was not read: nothing in it was executed; fetch it "
            f"again\n{remedy}"
        ) from error
    except Exception as error:  # a foreign file makes torch raise anything
        raise UserError(f"{path} does not hold {file.what}: {error}\n{remedy}") from error
