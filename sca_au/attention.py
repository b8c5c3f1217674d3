"""Spatio-channel attention: Sec. 3.2 (channel), Sec. 3.3 (spatial) and Sec. 3.4 (their fusion)."""

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn


def positive(**numbers: int) -> None:
    """Raises ValueError naming the first that is no whole number of 1 or more."""
    for name, n in numbers.items():
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"{name} must be a whole number of 1 or more, got {n!r}")


def covariance(f: Tensor) -> Tensor:
    """Covariance of N variables over D observations: (B, N, D) -> (B, N, N); ValueError when D < 2. Eq. (1), (2)."""
    if f.ndim != 3 or f.shape[2] < 2:
        raise ValueError(f"a covariance takes (B, N, D) with two observations D or more, got {tuple(f.shape)}")
    f = f - f.mean(2, keepdim=True)
    return f @ f.mT / (f.shape[2] - 1)


def untimed(F: Tensor) -> Tensor:
    """F', a map without time: (B, C, H, W) unchanged; (B, C, T, H, W) -> (B, C, H, W), its mean over T. Sec. 3.2.

    In the paper T is 1; the mean of more is not in the paper. Raises ValueError for anything else.
    """
    if F.ndim not in (4, 5) or not F.is_floating_point():
        raise ValueError(
            f"attention takes maps (B, C, H, W) or (B, C, T, H, W) of floats, got {tuple(F.shape)} of {F.dtype}"
        )
    return F if F.ndim == 4 else F.mean(2)


class RowConvolution(nn.Module):
    """Row-wise group convolution, each row of an N×N matrix a group of k filters: (B, N, N) -> (B, k·N). Fig. 4.

    The matrix is batch-normalised row by row first, as in the second-order-pooling network that the paper follows.
    """

    def __init__(self, rows: int, *, k: int = 4) -> None:
        super().__init__()
        positive(rows=rows, k=k)
        self.norm = nn.BatchNorm1d(rows)
        self.conv = nn.Conv1d(rows, k * rows, kernel_size=rows, groups=rows)

    def forward(self, C: Tensor) -> Tensor:
        """Covariances (B, N, N) -> (B, k·N)."""
        return self.conv(self.norm(C)).squeeze(2)


class ChannelAttention(nn.Module):
    """Scales each channel by a weight drawn from the covariance of channels: (B, C, H, W) -> same. Sec. 3.2.

    Maps (B, C, T, H, W) are taken too: the weight is that of their mean over T. reduced: c', the channels that the
    covariance is taken of (not in the paper; 128 as in the network it follows). k: filters per row. Raises ValueError
    for a map of one position or of other channels.
    """

    def __init__(self, channels: int, *, reduced: int = 128, k: int = 4) -> None:
        super().__init__()
        positive(channels=channels, reduced=reduced)
        self.reduce = nn.Sequential(nn.Conv2d(channels, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.rows = RowConvolution(reduced, k=k)
        self.expand = nn.Linear(k * reduced, channels)  # the second convolution, 1×1 on a 1×1 map

    def weight(self, F: Tensor) -> Tensor:
        """W_ch, the weight of each channel in [0, 1]: (B, C, H, W) -> (B, C)."""
        F = untimed(F)
        if F.shape[1] != (channels := self.expand.out_features):
            raise ValueError(f"channel attention was made for maps of {channels} channels, got {F.shape[1]}")
        C_ch = covariance(self.reduce(F).flatten(2))  # (B, c', c')
        return self.expand(self.rows(C_ch)).sigmoid()

    def forward(self, F: Tensor) -> Tensor:
        """F' (B, C, H, W) or (B, C, T, H, W) -> F'_ch, same shape."""
        return F * self.weight(F).view(*F.shape[:2], *[1] * (F.ndim - 2))


class SpatialAttention(nn.Module):
    """Scales each position by a weight drawn from the covariance of positions: (B, C, H, W) -> same. Sec. 3.3.

    Maps (B, C, T, H, W) are taken too: the weight is that of their mean over T. size: (H, W) of the maps, fixed because
    every position has filters of its own; ValueError for another size, or for a single channel. k: filters per row.
    relu: after the row convolution, as in the group's public code and in the network that it follows; the paper's text
    has none.
    """

    def __init__(self, size: tuple[int, int], *, k: int = 4, relu: bool = False) -> None:
        super().__init__()
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise ValueError(f"size is the (H, W) of the maps, got {size!r}")
        positive(H=size[0], W=size[1])
        self.size = tuple(size)
        d = size[0] * size[1]
        self.rows = RowConvolution(d, k=k)
        self.activation = nn.ReLU() if relu else nn.Identity()
        self.expand = nn.Linear(k * d, d)

    def weight(self, F: Tensor) -> Tensor:
        """W'_sp, the weight of each position in [0, 1]: (B, C, H, W) -> (B, H, W)."""
        F = untimed(F)
        B, C, H, W = F.shape
        if self.size != (H, W):
            raise ValueError(f"spatial attention was made for maps of {self.size}, got {(H, W)}")
        C_sp = covariance(F.flatten(2).mT)  # (B, d, d)
        return self.expand(self.activation(self.rows(C_sp))).sigmoid().view(B, H, W)

    def forward(self, F: Tensor) -> Tensor:
        """F' (B, C, H, W) or (B, C, T, H, W) -> F'_sp, same shape."""
        return F * self.weight(F).view(F.shape[0], *[1] * (F.ndim - 3), *F.shape[-2:])


class MaxFusion(nn.Module):
    """The larger of F'_sp and F'_ch at each element. SCA_Max."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> (B, C, H, W)."""
        return torch.maximum(F_sp, F_ch)


class AverageFusion(nn.Module):
    """The mean of F'_sp and F'_ch. SCA_Avg."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> (B, C, H, W)."""
        return (F_sp + F_ch) / 2


class ConcatFusion(nn.Module):
    """F'_sp and F'_ch one after the other, twice the channels. SCA_Concat."""

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> (B, 2C, H, W)."""
        return torch.cat([F_sp, F_ch], 1)


class ScalarFusion(nn.Module):
    """F'_sc = w_sp F'_sp + w_ch F'_ch with two learned numbers. Eq. (3), SCA_Learn.

    They start from the average, which is not in the paper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.w_sp = nn.Parameter(torch.tensor(0.5))
        self.w_ch = nn.Parameter(torch.tensor(0.5))

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> (B, C, H, W)."""
        return self.w_sp * F_sp + self.w_ch * F_ch


class RowFusion(nn.Module):
    """w_sp ⊙ F'_sp + w_ch ⊙ F'_ch, batch-normalised; each weight is a map convolved from its own branch.

    As in the group's public code, not in the paper: a convolution of 9×1 in height × width, in 8 groups of channels;
    at 512 channels the two have 590,848 parameters. ValueError where 8 does not divide the channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 8:
            raise ValueError(f"fusion by rows splits the channels into 8 groups, got {channels} channels")
        self.w_sp, self.w_ch = (
            nn.Conv2d(channels, channels, kernel_size=(9, 1), padding=(4, 0), groups=8) for _ in range(2)
        )
        self.norm = nn.BatchNorm2d(channels)

    def weigh(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """The sum before its batch norm: (B, C, H, W) twice -> (B, C, H, W)."""
        return self.w_sp(F_sp) * F_sp + self.w_ch(F_ch) * F_ch

    def forward(self, F_sp: Tensor, F_ch: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> (B, C, H, W)."""
        return self.norm(self.weigh(F_sp, F_ch))


Fusion = Literal["max", "avg", "concat", "scalar", "rows"]
FUSIONS = {"max": MaxFusion, "avg": AverageFusion, "concat": ConcatFusion, "scalar": ScalarFusion, "rows": RowFusion}


class SCA(nn.Module):
    """The SCA module of Fig. 3: (B, C, H, W) -> (B, out_channels, H, W), out_channels being C, or 2C under "concat".

    Maps (B, C, T, H, W) are taken too: the weights of both attentions are those of the mean over T, and every step is
    fused alike. size: (H, W) of the maps. fusion: a key of FUSIONS. reduced, k, relu: as in the two attentions. Raises
    ValueError for an unknown fusion, and for maps that the two attentions refuse.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        fusion: Fusion = "scalar",
        reduced: int = 128,
        k: int = 4,
        relu: bool = False,
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is one of {', '.join(FUSIONS)}, got {fusion!r}")
        self.spatial = SpatialAttention(size, k=k, relu=relu)
        self.channel = ChannelAttention(channels, reduced=reduced, k=k)
        self.fusion: nn.Module = RowFusion(channels) if fusion == "rows" else FUSIONS[fusion]()
        self.out_channels = 2 * channels if fusion == "concat" else channels

    def forward(self, F: Tensor) -> Tensor:
        """F' (B, C, H, W) or (B, C, T, H, W) -> F'_sc of that shape, of 2C channels under "concat"."""
        F_sp, F_ch = self.spatial(F), self.channel(F)
        if F.ndim == 4:
            return self.fusion(F_sp, F_ch)
        steps = (rearrange(branch, "B C T H W -> (B T) C H W") for branch in (F_sp, F_ch))
        return rearrange(self.fusion(*steps), "(B T) C H W -> B C T H W", B=len(F))
