"""Settings: the fields of a Config, each with the part of a run that it belongs to and the values that it can take."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ..errors import UserError, unknown

Part = Literal["input", "network", "pre-training", "training", "machine"]
# Of products on a GPU. "default": torch's own, convolutions in TF32; "bf16": forward passes in training (autocast).
Precision = Literal["default", "float32", "tf32", "bf16"]
T = TypeVar("T")
types: Callable[[Any], dict[str, Any]] = cache(get_type_hints)  # of the settings of a Config, by name
BOUNDS = {"at least": operator.ge, "more than": operator.gt, "at most": operator.le, "less than": operator.lt}


@dataclass(frozen=True)
class Declared:
    """The declaration of a setting, beside its name, type and default."""

    part: Part
    bounds: dict[str, float]  # by the words of BOUNDS
    when: Callable[[Any], bool]


def setting(
    default: T,
    part: Part,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    when: Callable[[Any], bool] = lambda config: True,
) -> T:
    """A field of a Config.

    `part`: a pre-training depends on settings of its input, network and machine and on those of "pre-training", and on
    none of "training"; of the former on those alone for which `when(config)` is true. The bounds hold for each number
    of a tuple; numbers are finite. `least` and `most` are allowed values, `above` and `below` are not.
    """
    bounds = dict(zip(BOUNDS, (least, above, most, below), strict=True))
    declared = Declared(part, {words: bound for words, bound in bounds.items() if bound is not None}, when)
    made: Any = field(default=default, metadata={"declared": declared})
    return made


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that the Configs of all papers share. Raises UserError, with every wrong value, when one is made."""

    batch: int = setting(16, "training", least=1)  # of a fold's training
    people: int = setting(0, "training", least=0)  # that a fold trains on, drawn at random; 0: all but those it tests
    precision: Precision = setting("default", "machine")  # not in the paper
    compile: bool = setting(False, "machine")  # networks by torch.compile; not in the paper

    def __post_init__(self) -> None:
        kinds = types(type(self))
        wrong = [line for f in fields(self) for line in _wrong(f, getattr(self, f.name), kinds[f.name])]
        if wrong := wrong or list(self.conflicts()):
            raise UserError("\n".join(wrong))

    def conflicts(self) -> Iterator[str]:
        """A line for each value that does not go with the others; a Config overrides it."""
        yield from ()


S = TypeVar("S", bound=Settings)


def pretraining_settings(config: Settings) -> dict[str, Any]:
    """The settings that a pre-training depends on, by name."""
    found = {f.name: f.metadata["declared"] for f in fields(config)}
    return {name: getattr(config, name) for name, d in found.items() if d.part != "training" and d.when(config)}


def differences(config: Any, base: Any) -> dict[str, Any]:
    """The fields of `config` that are not as in `base`."""
    names = (f.name for f in fields(config))
    return {name: getattr(config, name) for name in names if getattr(config, name) != getattr(base, name)}


def changed(config: S, changes: Mapping[str, Any]) -> S:
    """The Config with other values. Raises UserError for an unknown field and for values that cannot be."""
    known = [f.name for f in fields(config)]
    for name in changes:
        if name not in known:
            raise unknown("setting", name, known)
    made: S = _replaced(config, tuple(changes.items()))
    return made


@cache  # every table of a paper asks for the same ones again
def _replaced(config: Any, changes: tuple[tuple[str, Any], ...]) -> Any:
    return replace(config, **dict(changes))


def parse(key: str, text: str, kind: Any) -> Any:
    """The `text` of --set `key` as a value of a field's type: bool, int, float, str, Literal, or a tuple of them."""
    try:
        return _value(text.strip(), kind)
    except (ValueError, KeyError) as error:
        name = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        raise UserError(f"--set {key}={text}: expected {name}") from error


def _value(text: str, kind: Any) -> Any:
    choices = get_args(kind)
    if get_origin(kind) is Literal:
        return {str(choice): choice for choice in choices}[text]
    if get_origin(kind) is tuple:
        parts = [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
        kinds = [choices[0]] * len(parts) if choices[-1] is Ellipsis else choices
        return tuple(_value(part, k) for part, k in zip(parts, kinds, strict=True))
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    return kind(text)


def _wrong(f: "Field[Any]", value: Any, kind: Any) -> Iterator[str]:
    """A line when a setting's value is not of its type or outside its bounds."""
    declared: Declared = f.metadata["declared"]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            yield f"{f.name}={value}: expected {', '.join(map(str, get_args(kind)))}"
        return
    values = value if isinstance(value, tuple) else (value,)
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    text = ",".join(map(str, values))
    if not all(math.isfinite(v) for v in numbers):
        yield f"{f.name}={text}: expected a finite number"
    elif kind is int and not isinstance(value, int):
        yield f"{f.name}={text}: expected a whole number"
    elif not all(BOUNDS[words](v, bound) for v in numbers for words, bound in declared.bounds.items()):
        expected = " and ".join(f"{words} {bound:g}" for words, bound in declared.bounds.items())
        yield f"{f.name}={text}: expected {expected}"
