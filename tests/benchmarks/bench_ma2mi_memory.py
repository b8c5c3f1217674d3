"""What a pre-training step at paper scale asks of a GPU's memory: measured on one where there is one, else estimated.

The estimate: bytes that autograd keeps for the backward pass, counted at two small batches on the CPU (a line in the
batch: what it costs at all, and per pair), with weights, gradients and AdamW's two moments, and the largest
activations that live for a moment in the frozen autoencoder.
"""

import sys

import torch

from ma2mi.autoencoder import Autoencoder
from ma2mi.experiments import Config
from ma2mi.train import Reconstruction

BATCH = 32


def kept(model: torch.nn.Module, batch: int, size: int) -> int:
    """Bytes of distinct storages saved for backward, parameters left out."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = sum(model(*torch.randn(2, batch, 3, size, size).unbind()).values())
    del loss
    return sum(seen.values())


def main() -> None:
    config = Config()
    model = Reconstruction(config, Autoencoder())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    held = sum(p.numel() for p in model.parameters())
    print(f"parameters: {trained:,} trained, {held - trained:,} frozen")
    if torch.cuda.is_available():
        model.cuda()
        adamw = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        for _ in range(3):
            sum(model(*torch.randn(2, BATCH, 3, config.size, config.size, device="cuda").unbind()).values()).backward()
            adamw.step()
            adamw.zero_grad()
        print(f"measured peak at batch {BATCH}: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
        return
    two, three = (kept(model, batch, config.size) for batch in (2, 3))
    activations = two + (BATCH - 2) * (three - two)
    states = 4 * (held + 3 * trained)
    moment = 4 * BATCH * 128 * config.size**2 * 3  # three maps of the autoencoder's first level at once
    total = states + activations + moment
    print(f"weights, gradients, moments {states / 2**30:.1f} GiB; kept activations {activations / 2**30:.1f} GiB;")
    print(f"autoencoder's passing activations {moment / 2**30:.1f} GiB; estimated peak {total / 2**30:.1f} GiB")


if __name__ == "__main__":
    sys.exit(main())
