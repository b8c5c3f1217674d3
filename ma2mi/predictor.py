"""What pre-training leaves (Fig. 3): a MIACNet, and the DiT that its C_Δ conditions."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .dit import DiT
from .model import MIACNet


class FramePredictor(nn.Module):
    """A pre-trained MIACNet and DiT; `miacnet` and `dit` are their arguments. Without `dit`, MIACNet alone."""

    def __init__(self, miacnet: Mapping[str, Any], dit: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.miacnet = MIACNet(**miacnet)
        self.dit = DiT(**dit) if dit else None

    def forward(self, I_t: Tensor, I_td: Tensor, Z_t: Tensor | None = None) -> Tensor:
        """Frames I_t, I_{t+δ} (B, 3, H, W) in [-1, 1] -> C_Δ (B, dim); given Z_t, Ẑ_{t+δ} of its shape, Eq. (8)."""
        C_delta: Tensor = self.miacnet(I_t, I_td)
        if Z_t is None:
            return C_delta
        if self.dit is None:
            raise ValueError("this network was pre-trained without a DiT: leave Z_t out")
        prediction: Tensor = self.dit(Z_t, C_delta)
        return prediction
