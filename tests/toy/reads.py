"""What a GPU would be waited for: values that Python reads from tensors, and copies to its memory that wait."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READS = ("aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.equal", "aten._unique", "aten.masked_sel")
OPTIMISERS = Path(torch.optim.__file__).parent  # they read a count of steps on the CPU, and fused ones nothing


class Reads(TorchDispatchMode):
    """Counts, within, operations and the values read, by the line of the code that reads them."""

    def __init__(self):
        super().__init__()
        self.operations, self.lines = 0, Counter()

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        self.operations += 1
        indices = arguments[1] if str(operation).startswith("aten.index.") else ()
        if str(operation).startswith(READS) or any(i is not None and i.dtype == torch.bool for i in indices):
            self.count()
        return operation(*arguments, **(named or {}))

    def count(self) -> None:
        """Count the line of the code that has come here."""
        frame = sys._getframe(1)
        while "torch" in (path := Path(frame.f_code.co_filename)).parts or path == Path(__file__):
            if OPTIMISERS in path.parents:
                return
            frame = frame.f_back
        self.lines[f"{path.parent.name}/{path.name}:{frame.f_lineno}"] += 1


class Copies(TorchFunctionMode):
    """Counts, too, what makes a copy to another device and waits for it."""

    def __init__(self, reads: Reads):
        super().__init__()
        self.reads = reads

    def __torch_function__(self, function, types, arguments=(), named=None):
        named = named or {}
        given = [named.get("device"), named.get("other"), *arguments[1:2]]
        moved = function is torch.Tensor.to and any(
            isinstance(what, str | torch.device | torch.Tensor) for what in given
        )
        made = function in (torch.tensor, torch.as_tensor) and "device" in named or function is torch.Tensor.new_tensor
        if made or moved and not named.get("non_blocking"):
            self.reads.count()
        return function(*arguments, **named)


@contextmanager
def elsewhere() -> Iterator[Reads]:
    """Count as if tensors lay on a GPU, where code skips the checks that would wait for it."""
    with Reads() as reads, Copies(reads):
        torch.Tensor.is_cpu = property(lambda tensor: False)
        try:
            yield reads
        finally:
            del torch.Tensor.is_cpu
