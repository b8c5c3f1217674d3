"""Spatio-channel attention: Sec. 3.2 (channel), Sec. 3.3 (spatial) and Sec. 3.4 (their fusion)."""

import torch
from torch import Tensor, nn


def covariance(f: Tensor) -> Tensor:
    """Covariance of N variables over D observations: (B, N, D) -> (B, N, N); ValueError when D < 2. Eq. (1), (2)."""
    B, N, D = f.shape
    if D < 2:
        raise ValueError(f"a covariance needs two observations or more, got a map of shape {tuple(f.shape)}")
    f = f - f.mean(2, keepdim=True)
    return f @ f.mT / (D - 1)


class RowConvolution(nn.Module):
    """Row-wise group convolution, each row of an N×N matrix a group of k filters: (B, N, N) -> (B, k·N). Fig. 4.

    The matrix is batch-normalised row by row first, as in the second-order-pooling network that the paper follows.
    """

    def __init__(self, rows: int, *, k: int = 4):
        super().__init__()
        self.norm = nn.BatchNorm1d(rows)
        self.conv = nn.Conv1d(rows, k * rows, kernel_size=rows, groups=rows)

    def forward(self, C: Tensor) -> Tensor:
        return self.conv(self.norm(C)).squeeze(2)


class ChannelAttention(nn.Module):
    """Scales each channel by a weight drawn from the covariance of channels: (B, C, H, W) -> same. Sec. 3.2.

    reduced: c', the channels that the covariance is taken of (not in the paper; 128 as in the network it follows).
    k: filters a row. Raises ValueError for a map of one position.
    """

    def __init__(self, channels: int, *, reduced: int = 128, k: int = 4):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(channels, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.rows = RowConvolution(reduced, k=k)
        self.expand = nn.Linear(k * reduced, channels)  # the second convolution, 1×1 on a 1×1 map

    def weight(self, F: Tensor) -> Tensor:
        """W_ch, the weight of each channel in 0..1: (B, C, H, W) -> (B, C)."""
        C_ch = covariance(self.reduce(F).flatten(2))  # (B, c', c')
        return self.expand(self.rows(C_ch)).sigmoid()

    def forward(self, F: Tensor) -> Tensor:
        return F * self.weight(F)[:, :, None, None]


class SpatialAttention(nn.Module):
    """Scales each position by a weight drawn from the covariance of positions: (B, C, H, W) -> same. Sec. 3.3.

    size: (H, W) of the maps, fixed because every position has filters of its own; ValueError for another size.
    k: filters a row.
    """

    def __init__(self, size: tuple[int, int], *, k: int = 4):
        super().__init__()
        self.size = tuple(size)
        d = size[0] * size[1]
        self.rows = RowConvolution(d, k=k)
        self.expand = nn.Linear(k * d, d)

    def weight(self, F: Tensor) -> Tensor:
        """W'_sp, the weight of each position in 0..1: (B, C, H, W) -> (B, H, W)."""
        B, C, H, W = F.shape
        if self.size != (H, W):
            raise ValueError(f"spatial attention was made for maps of {self.size}, got {(H, W)}")
        C_sp = covariance(F.flatten(2).mT)  # (B, d, d)
        return self.expand(self.rows(C_sp)).sigmoid().view(B, H, W)

    def forward(self, F: Tensor) -> Tensor:
        return F * self.weight(F)[:, None]


class MaxFusion(nn.Module):
    """The larger of F'_sp and F'_ch at each element. SCA_Max."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        return torch.maximum(F_sp, F_ch)


class AverageFusion(nn.Module):
    """The mean of F'_sp and F'_ch. SCA_Avg."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        return (F_sp + F_ch) / 2


class ConcatFusion(nn.Module):
    """F'_sp and F'_ch one after the other, twice the channels. SCA_Concat."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        return torch.cat([F_sp, F_ch], 1)


class ScalarFusion(nn.Module):
    """F'_sc = w_sp F'_sp + w_ch F'_ch with two learnt scalars, from the average on. Eq. (3)."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        return self.w[0] * F_sp + self.w[1] * F_ch


class LearnedFusion(nn.Module):
    """F'_sc = w_sp F'_sp + w_ch F'_ch, the weights maps computed from the branches themselves. Eq. (3), SCA_Learn.

    Each branch is a group of one convolution that slides over nine neighbouring channels of a position and gives the
    branch's weight there. Kernel and start are not in the paper: training starts from the average of the branches.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, kernel_size=(9, 1), padding=(4, 0), groups=2)
        nn.init.zeros_(self.conv.weight)
        nn.init.constant_(self.conv.bias, 0.5)

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        branches = torch.stack([F_sp, F_ch], 1).flatten(3)  # (B, 2, C, H·W)
        return (self.conv(branches) * branches).sum(1).view_as(F_sp)


FUSIONS = {
    "max": MaxFusion,
    "avg": AverageFusion,
    "concat": ConcatFusion,
    "learn": LearnedFusion,
    "scalar": ScalarFusion,
}


class SCA(nn.Module):
    """The SCA module of Fig. 3: (B, C, H, W) -> (B, out_channels, H, W), out_channels being C, or 2C under "concat".

    size: (H, W) of the maps. fusion: a key of FUSIONS. reduced, k: as in ChannelAttention.
    """

    def __init__(
        self, channels: int, size: tuple[int, int], *, fusion: str = "learn", reduced: int = 128, k: int = 4
    ):
        super().__init__()
        self.spatial = SpatialAttention(size, k=k)
        self.channel = ChannelAttention(channels, reduced=reduced, k=k)
        self.fusion = FUSIONS[fusion]()
        self.out_channels = 2 * channels if fusion == "concat" else channels

    def forward(self, F: Tensor) -> Tensor:
        return self.fusion(self.spatial(F), self.channel(F))
