"""What a pre-training step at paper scale asks of a GPU's memory: measured on one where there is one, else estimated.

The estimate: bytes that autograd keeps for the backward pass, counted at two small batches on the CPU (a line in the
batch: what it costs at all, and per pair), with weights, gradients and AdamW's two moments, and the largest
activations that live for a moment in the frozen autoencoder.
"""

import argparse
from dataclasses import replace

import torch

from ma2mi.config import Config
from ma2mi.losses import draw_tau
from ma2mi.train import Reconstruction, autoencoder

BATCH = 32


def step(model: torch.nn.Module, batch: int, size: int, device: str) -> torch.Tensor:
    """L_pre of random pairs."""
    I_t, I_td = 2 * torch.rand(2, batch, 3, size, size, device=device) - 1
    return sum(model(I_t, I_td, draw_tau(batch)).values())


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
        loss = step(model, batch, size, "cpu")
    del loss
    return sum(seen.values())


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="small networks: to see that it runs")
    config = replace(Config(), autoencoder="random")  # of the published one's size
    if p.parse_args(arguments).small:
        config = replace(config, size=64, width=8, autoencoder="pool", dit_dim=48, dit_depth=1, dit_heads=3, patch=4)
    model = Reconstruction(config, autoencoder(config, None))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    held = sum(p.numel() for p in model.parameters())
    print(f"parameters: {trained:,} trained, {held - trained:,} frozen")
    if torch.cuda.is_available():
        model.cuda()
        adamw = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        for _ in range(3):
            step(model, BATCH, config.size, "cuda").backward()
            adamw.step()
            adamw.zero_grad()
        peak = torch.cuda.max_memory_allocated()
        print(f"measured peak at batch {BATCH}: {peak / 2**30:.1f} GiB, ratio {peak / (4 * held):.1f} to the weights")
        return
    two, three = (kept(model, batch, config.size) for batch in (2, 3))
    activations = two + (BATCH - 2) * (three - two)
    states = 4 * (held + 3 * trained)
    moment = 4 * BATCH * 128 * config.size**2 * 3  # three maps of the autoencoder's first level at once
    total = states + activations + moment
    print(f"weights, gradients, moments {states / 2**30:.1f} GiB; kept activations {activations / 2**30:.1f} GiB;")
    print(
        f"autoencoder's passing activations {moment / 2**30:.1f} GiB; estimated peak {total / 2**30:.1f} GiB, "
        f"ratio {total / (4 * held):.1f} to the weights"
    )


if __name__ == "__main__":
    main()
