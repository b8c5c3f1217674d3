"""The released weights of SKD-TSTSAN, and of the magnification network of Oh et al. (2018), in this network's names."""

import re
from os import PathLike

import torch
from torch import Tensor

from .model import SKD_TSTSAN, STREAMS

_LAYER = re.compile(r"(?:AC(?P<classifier>\d)_)?(?P<kind>conv|bn|ECA)(?P<number>\d)(?:_(?P<stream>[SLT]))?"
                    r"\.(?:net\.|conv\.)?(?P<rest>.+)")
_MAGNIFIER = re.compile(r"Aug_(?P<part>Encoder|Manipulator)_(?P<stream>[SLT])\.(?P<rest>.+)")


def load_released(path: str | PathLike, model: SKD_TSTSAN | None = None, *,
                  transfer: bool = False) -> tuple[SKD_TSTSAN, dict[str, str]]:
    """Loads a released network, or a magnifier for all three streams -> the model, and where each key of the file went.

    A key that was not used has the reason instead. model: loaded in place (None: a new one, with the file's number of
    classes). transfer: leave the last linear layer of each classifier as it is (Sec. 4.2). Raises ValueError, listing
    them all, for unknown keys, other shapes and parts of the network that the file lacks.
    """
    weights = torch.load(path, map_location="cpu", weights_only=True)
    weights = weights.get("state_dict", weights)
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    if any(key.startswith("encoder.") for key in weights):
        model = model or SKD_TSTSAN()
        if model.streams["S"].magnify is None:
            raise ValueError(f"{path}: a magnifier, and this model has none (mag=False)")
        return model, _load_magnifier(path, weights, model)
    if "fc2.weight" not in weights:
        raise ValueError(f"{path}: neither the released network (which has fc2.weight) nor a magnifier (encoder.*); "
                         f"its first keys: {list(weights)[:5]}")
    model = model or SKD_TSTSAN(len(weights["fc2.weight"]))
    return model, _load_network(path, weights, model, transfer)


def _load_network(path, weights: dict[str, Tensor], model: SKD_TSTSAN, transfer: bool) -> dict[str, str]:
    own, loaded, account, problems = model.state_dict(), {}, {}, []
    for key, value in weights.items():
        name = _name(key)
        if name is None:
            problems.append(f"{key}: no part of the network is called this")
        elif transfer and name.startswith(("fc.", "AC_fc.")):
            account[key] = "not used: a last linear layer is not transferred"
        elif name not in own:
            account[key] = f"not used: this model has no {name}"
        elif own[name].shape != value.shape:
            problems.append(f"{key}: {tuple(value.shape)} in the file, {tuple(own[name].shape)} in the model's {name}")
        else:
            account[key], loaded[name] = name, value
    expected = {name for name in own if not (transfer and name.startswith(("fc.", "AC_fc.")))}
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


def _load_magnifier(path, weights: dict[str, Tensor], model: SKD_TSTSAN) -> dict[str, str]:
    """Shape encoder and manipulator fit every stream, but for the first convolution, made for three channels."""
    account = {}
    for key, value in weights.items():
        name, places = _bare(key), []
        for s in STREAMS:
            own = dict(model.streams[s].magnify.named_parameters())
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
        raise ValueError("\n  ".join([f"{path}: nothing of this magnifier fits the model:",
                                      *(f"{key}: {place}" for key, place in account.items())]))
    return account
