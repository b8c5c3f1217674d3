"""Sec. 3.3, temporal shift module (Lin et al. 2019)."""

import torch
from torch import Tensor, nn


class TemporalShift(nn.Module):
    """The first C/8 channels come from the next frame, the second C/8 from the previous one (released code).

    Beyond the ends there are zeros. It has no parameters. Sec. 3.3 shifts the first C/8 forward and the second
    backward, which differs by the order of channels alone.
    """

    def __init__(self, segments: int = 2, *, ratio: int = 8) -> None:
        super().__init__()
        self.segments, self.ratio = segments, ratio

    def forward(self, x: Tensor) -> Tensor:
        """x (B segments, C, H, W), the frames of each sample one after the other -> the same shape.

        Raises ValueError where the last sample is incomplete.
        """
        if x.shape[0] % self.segments:
            raise ValueError(f"{x.shape[0]} frames: expected whole samples of {self.segments} segments")
        fold = x.shape[1] // self.ratio
        frames = x.unflatten(0, (-1, self.segments))
        future, past, kept = frames.split([fold, fold, x.shape[1] - 2 * fold], 2)
        zeros = torch.zeros_like(future[:, :1])
        future, past = torch.cat([future[:, 1:], zeros], 1), torch.cat([zeros, past[:, :-1]], 1)
        return torch.cat([future, past, kept], 2).flatten(0, 1)

    def extra_repr(self) -> str:
        return f"segments={self.segments}, ratio={self.ratio}"
