"""The released weights of SKD-TSTSAN, and of the magnification network of Oh et al. (2018), in this network's names."""

import pickle
import re
import zipfile
from os import PathLike
from typing import Literal

import torch
from torch import Tensor

from .model import SKD_TSTSAN, STREAMS

_LAYER = re.compile(
    r"(?:AC(?P<classifier>\d)_)?(?P<kind>conv|bn|ECA)(?P<number>\d)(?:_(?P<stream>[SLT]))?"
    r"\.(?:net\.|conv\.)?(?P<rest>.+)"
)
_MAGNIFIER = re.compile(r"Aug_(?P<part>Encoder|Manipulator)_(?P<stream>[SLT])\.(?P<rest>.+)")
LAST = ("fc.", "AC_fc.")  # linear layers: never transferred (Sec. 4.2)
Part = Literal["network", "magnifier"]


def load_released(
    path: str | PathLike[str], model: SKD_TSTSAN | None = None, *, transfer: bool = False, part: Part | None = None
) -> tuple[SKD_TSTSAN, dict[str, str]]:
    """Loads a released network, or a magnifier into all three streams; returns the model and an account by name.

    The account gives for each key of the file the parameter that it went into, or "not used: why", and for each
    parameter of the model that the file does not give "stays as it was: why" (in a new network: random).

    model: loaded in place (None: a new one, with the file's number of classes). transfer: leave the last linear layer
    of each classifier as it is (Sec. 4.2). part: what the file has to hold (None: either). Raises ValueError for a file
    that holds something else, is damaged or does not fit the model, listing all keys that do not fit.
    """
    weights = _read(path)
    magnifier = any(key.startswith("encoder.") for key in weights)
    if not magnifier and "fc2.weight" not in weights:
        raise ValueError(
            f"{path} holds neither the released network (which has fc2.weight) nor a magnifier "
            f"(encoder.*), but {list(weights)[:5]}; take the file from the authors' repository"
        )
    if part not in (None, found := "magnifier" if magnifier else "network"):
        raise ValueError(f"{path} holds a {found}: expected a {part}")
    model = model or SKD_TSTSAN(*(() if magnifier else weights["fc2.weight"].shape[:1]))
    without = [] if model.streams["S"].magnify else ["motion magnification (mag=False)"]
    if not magnifier and model.segments < model.domains:
        without.append("temporal shift (tsm=False)")
    if without:
        raise ValueError(f"{path} holds a {found} that this model cannot take: it is without {' and '.join(without)}")
    account = _load_magnifier(path, weights, model) if magnifier else _load_network(path, weights, model, transfer)
    given = {name for places in account.values() for name in places.split(", ")}
    for name in model.state_dict():
        if name not in given:
            last = transfer and name.startswith(LAST)
            why = "a last linear layer is not transferred" if last else "the file does not give it"
            account[name] = f"stays as it was: {why}"
    return model, account


def _read(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The tensors in a file, by name. Raises ValueError where it holds anything else, or is damaged."""
    remedy = "nothing in it was executed; take the file from the authors' repository again"
    with open(path, "rb") as file:
        try:
            if zipfile.is_zipfile(file) and (damaged := zipfile.ZipFile(file).testzip()):  # torch compares no checksums
                raise ValueError(f"the checksum of {damaged} does not match")
            file.seek(0)
            weights = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(f"{path} holds more than tensors, or none, or is truncated; {remedy}") from error
        except Exception as error:  # a foreign file can make torch raise anything
            what = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(f"{path} is not a file of weights, or is damaged ({what}); {remedy}") from error
    weights = weights.get("state_dict", weights) if isinstance(weights, dict) else weights
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path} holds a {type(weights).__name__}, not tensors by name; {remedy}")
    weights = {str(key).removeprefix("module."): value for key, value in weights.items()}
    if bad := [key for key, value in weights.items() if not value.isfinite().all()]:
        raise ValueError(f"{path} holds values that are not finite, in {', '.join(bad[:5])}; {remedy}")
    return weights


def _load_network(
    path: str | PathLike[str], weights: dict[str, Tensor], model: SKD_TSTSAN, transfer: bool
) -> dict[str, str]:
    own, problems = model.state_dict(), []
    loaded: dict[str, Tensor] = {}
    account: dict[str, str] = {}
    for key, value in weights.items():
        name = _name(key)
        if name is None:
            problems.append(f"{key}: no part of the network is called this")
        elif transfer and name.startswith(LAST):
            account[key] = "not used: a last linear layer is not transferred"
        elif name not in own:
            account[key] = f"not used: this model has no {name}"
        elif own[name].shape != value.shape:
            problems.append(f"{key}: {tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model's {name}")
        else:
            account[key], loaded[name] = name, value
    expected = {name for name in own if not (transfer and name.startswith(LAST))}
    problems += [f"{name}: not in the file" for name in sorted(expected - {_name(key) for key in weights})]
    if problems:
        raise ValueError("\n  ".join([f"{path} does not fit this model:", *problems]))
    model.load_state_dict(loaded, strict=False)
    return account


def _name(key: str) -> str | None:
    """A key of the released network -> the parameter's name here."""
    if match := _MAGNIFIER.fullmatch(key):
        return f"streams.{match['stream']}.magnify.{match['part'].lower()}.{_bare(match['rest'])}"
    if match := _LAYER.fullmatch(key):
        number = int(match["number"])
        layer = f"AC{match['classifier']}.{number - 1}" if match["classifier"] else f"conv{number}"
        kind = "eca.conv" if match["kind"] == "ECA" else match["kind"]
        return f"streams.{match['stream'] or 'L'}.{layer}.{kind}.{match['rest']}"  # ECA names no stream: only L has it
    if match := re.fullmatch(r"(fc2|AC1_fc|AC2_fc)\.(weight|bias)", key):
        return {"fc2": "fc", "AC1_fc": "AC_fc.0", "AC2_fc": "AC_fc.1"}[match[1]] + "." + match[2]
    return None


def _bare(key: str) -> str:
    """Drops the name that a wrapped convolution has inside its block: cba_1.conv2d.weight -> cba_1.weight."""
    return re.sub(r"\.conv\w*\.weight$", ".weight", key)


def _load_magnifier(path: str | PathLike[str], weights: dict[str, Tensor], model: SKD_TSTSAN) -> dict[str, str]:
    """Shape encoder and manipulator fit every stream, but for the first convolution, made for three channels."""
    account: dict[str, str] = {}
    for key, value in weights.items():
        name, places = _bare(key), []
        for s in STREAMS:
            own = dict(model.get_submodule(f"streams.{s}.magnify").named_parameters())
            if name in own and own[name].shape == value.shape:
                with torch.no_grad():
                    own[name].copy_(value)
                places.append(f"streams.{s}.magnify.{name}")
            elif name in own:
                account[key] = f"not used: {tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model"
        if places:
            account[key] = ", ".join(places)
        account.setdefault(key, "not used: neither shape encoder nor manipulator")
    if all(place.startswith("not used") for place in account.values()):
        lines = (f"{key}: {place}" for key, place in account.items())
        raise ValueError("\n  ".join([f"{path}: nothing of this magnifier fits the model:", *lines]))
    return account
