"""A trained network for other programs, for batches of any size: as ONNX, or as a program of torch.export."""

import argparse
import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .errors import UserError, pip_install
from .files import check_writable, write_binary
from .runs.weights import load_network, named_weights

SUFFIX = {"onnx": ".onnx", "torch-export": ".pt2"}
NEEDED = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4

Exported = tuple[bytes, Callable[[Sequence[Tensor]], Tensor]]  # a file's content, and what that computes


class Scores(nn.Module):
    """What a network predicts: scores (B, labels); of a network without labels, what `forward` returns."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        """The inputs that the network's header names, with a batch dimension B in front -> scores (B, labels)."""
        scores: Tensor = getattr(self.net, "predict", self.net)(*inputs)
        return scores


def export(args: argparse.Namespace) -> int:
    """Write the file beside the weights, or as --out says, once it gives what the network gives. Returns the exit code.

    Its metadata "about" is the header of the weights, as JSON: labels, input, task. Raises UserError for a network that
    cannot be exported, and where the results differ.
    """
    if args.to == "onnx" and (missing := [name for name in NEEDED if not importlib.util.find_spec(name)]):
        raise UserError(f"--to onnx needs {', '.join(missing)}: {pip_install(*missing)}")
    weights = named_weights(args.weights)
    path = args.out or weights.with_suffix(SUFFIX[args.to])
    if path.suffix != SUFFIX[args.to]:
        raise UserError(f"--out {path}: expected a name that ends in {SUFFIX[args.to]}")
    check_writable(path.parent)
    net, about = load_network(weights)
    shapes = about.get("input", {}).get("shapes")
    if not shapes:
        raise UserError(f"{weights} does not say the shapes of its input: it was made by other code; run its row again")
    program, other = Scores(net).eval(), batch(shapes, 3)
    with torch.no_grad():
        expected = program(*other)
        if expected.shape[1:] != (len(about["labels"]),) and about["labels"]:
            raise UserError(f"{weights} gives {expected.shape[1]} scores, and names {len(about['labels'])} labels")
        content, run = (onnx if args.to == "onnx" else torch_export)(program, shapes, json.dumps(about))
        difference = (run(other) - expected).abs().max().item()
    if not difference <= TOLERANCE:
        raise UserError(f"the exported network differs from {weights} by {difference:.2g}: nothing was written")
    write_binary(path, [content])
    for name, shape in shapes.items():
        print(f"input {name}: batch × {' × '.join(map(str, shape))}, float32")
    print(f"output: {', '.join(about['labels']) or 'features'}")
    print(f"written: {path}; on a batch of another size it differs from the network by {difference:.1g}")
    return 0


def batch(shapes: dict[str, list[int]], count: int) -> tuple[Tensor, ...]:
    """Inputs of noise in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(count, *shape, generator=generator) for shape in shapes.values())


def torch_export(program: Scores, shapes: dict[str, list[int]], about: str) -> Exported:
    """A file that `torch.export.load` reads."""
    batches = ({0: torch.export.Dim("batch")},) * len(shapes)
    exported = torch.export.export(program, batch(shapes, 2), dynamic_shapes=(batches,))
    torch.export.save(exported, content := io.BytesIO(), extra_files={"about": about})
    content.seek(0)
    loaded = torch.export.load(content).module()
    return content.getvalue(), lambda inputs: loaded(*inputs)


def onnx(program: Scores, shapes: dict[str, list[int]], about: str) -> Exported:
    """A file of ONNX, its inputs named as in the header, its output `scores`."""
    from onnxruntime import InferenceSession

    batches = ({0: torch.export.Dim("batch")},) * len(shapes)
    names: Any = {"input_names": list(shapes), "output_names": ["scores"], "dynamic_shapes": (batches,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all inputs share one batch dimension, as they should
        exported = torch.onnx.export(program, batch(shapes, 2), dynamo=True, verbose=False, **names)
    assert exported is not None
    exported.model.metadata_props["about"] = about
    content = exported.model_proto.SerializeToString()
    session = InferenceSession(content)

    def run(inputs: Sequence[Tensor]) -> Tensor:
        arrays = {name: np.asarray(x) for name, x in zip(shapes, inputs, strict=True)}
        return torch.from_numpy(session.run(["scores"], arrays)[0])

    return content, run
