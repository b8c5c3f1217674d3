"""Sec. 3.2, efficient channel attention (Wang et al. 2020) enhanced by max pooling."""

import math

from torch import Tensor, nn


class ECA(nn.Module):
    """Y = M ⊗ X with M = sigmoid(C1D_k(F_avg) + C1D_k(F_max)), one C1D_k for both (Eqs. 2-4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        t = int(abs(math.log2(channels) + 1) / 2)
        k = t + 1 - t % 2  # Eq. (3); an even t goes up, as in the released code
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, H, W) -> Y of the same shape."""
        F_avg, F_max = x.mean((2, 3)), x.amax((2, 3))
        M = (self.conv(F_avg.unsqueeze(1)) + self.conv(F_max.unsqueeze(1))).sigmoid()
        return x * M.squeeze(1)[..., None, None]
