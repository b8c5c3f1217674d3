"""Golden numbers of released modules of others, and the weights and inputs that they belong to (README.md)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import recipe


def golden(name: str) -> dict[str, np.ndarray]:
    """The arrays of tests/oracles/`name`.npz."""
    with np.load(Path(__file__).parent / f"{name}.npz") as file:
        return dict(file)


def released_weights(arrays: dict[str, np.ndarray], prefix: str = "") -> dict[str, Tensor]:
    """The state dict, in its released names, that the arrays `{prefix}names`, `{prefix}shapes`, `{prefix}seed` name."""
    names, shapes, seed = (arrays[f"{prefix}{part}"] for part in ("names", "shapes", "seed"))
    gains = [arrays.get(f"gain_{part}", ()) for part in ("names", "values")]
    return {k: torch.from_numpy(np.array(v)) for k, v in recipe.weights(names, shapes, int(seed), *gains).items()}


def worst(measured: Tensor, reference: np.ndarray) -> float:
    """max|difference| / max|reference|."""
    reference = torch.as_tensor(reference).double()
    return ((measured.detach().double() - reference).abs().max() / reference.abs().max()).item()


def magnet() -> dict[str, Tensor]:
    """Weights with the keys and shapes of magnet.pth, at random."""
    arrays = golden("skd_magnet_pth")
    shapes = [[int(n) for n in shape.split(",")] for shape in arrays["shapes"]]
    return {str(key): torch.rand(shape) for key, shape in zip(arrays["raw_names"], shapes, strict=True)}
