"""Weights on disk: what a fold has learnt, with all that makes its network again; and published files, read safely."""

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
from ..files import intact


def packed(state: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> bytes:
    """A safetensors file of `state`; `about` (anything JSON can hold) lies in its header."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    return save(tensors, about and {"about": json.dumps(about)})


def weights_of(record: Path) -> Path:
    """Where a fold's weights lie, beside its record."""
    return record.with_suffix(".safetensors")


def mislaid(record: Path, content: Mapping[str, Any]) -> str:
    """What is wrong with the weights that a fold's record says were kept: gone, or of another fold; else nothing.

    Under --verify their whole content is compared."""
    from ..keys import VERIFY

    path, crc = weights_of(record), content["kept weights"]
    if crc is None:
        return ""
    if not path.is_file():
        return f"{path} is missing, which its record says was kept"
    if VERIFY in os.environ:
        same = intact(path, crc)
    else:
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["about"])
            same = all(about[key] == content[key] for key in ("fold", "seed", "config", "scale", "generated", "code"))
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            same = False
    return "" if same else f"{path} is not the file that was written beside its record"


def network(path: str | Path, package: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network of `package` that a fold has left in `path`, in eval mode, and what it is about.

    Only what the package exports is ever made, whatever the file asks for. Raises UserError where it is another file.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is not there; runs leave a fold's weights beside its record, as .safetensors")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        if about["package"] != package:
            raise UserError(f"{path} holds a network of {about['package']}, not of {package}")
        exported = import_module(package)
        if about["network"] not in exported.__all__:
            raise ValueError(f"{package} exports no {about['network']}")
        net = getattr(exported, about["network"])(**about["arguments"])
        net.load_state_dict(state)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        raise UserError(f"{path} does not hold a network that a run has left: {error}") from error
    return net.eval(), about


def tensors(path: Path) -> Any:
    """What a .safetensors file, or one of torch.save, holds; nothing in it is executed. For use within `published`."""
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(error) from error
    return load_zip(path) if zipfile.is_zipfile(path) else torch.load(path, map_location="cpu", weights_only=True)


def load_zip(path: Path) -> Any:
    """What torch.save wrote to `path`; nothing in it is executed.

    Raises ValueError where one of zip's own checksums, which torch does not compare, differs; and what torch raises.
    """
    try:
        with zipfile.ZipFile(path) as file:
            spoilt = file.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, RuntimeError, zlib.error) as error:
        raise ValueError("it is not a whole file of torch.save") from error
    if spoilt:
        raise ValueError(f"its checksum of {spoilt} differs")
    return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def published(path: Path, what: str, without: str) -> Iterator[None]:
    """While `what`, weights of others, are read from `path`: what may be wrong with the file, as a UserError.

    `without`: how to go on without them. Files are read as tensors alone: nothing in them is ever executed.
    """
    remedy = f"--weights names the folder; {without}"
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{f'{path} is not there' if error.errno else error}: {what}\n{remedy}") from error
    except (pickle.UnpicklingError, EOFError) as error:
        raise UserError(
            f"{path} holds more than tensors, or is cut off, and was not read: nothing in it was executed; fetch it "
            f"again from where it was published\n{remedy}"
        ) from error
    except (OSError, ValueError, RuntimeError, AttributeError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} does not hold {what}: {error}\n{remedy}") from error
