"""Sec. 3.1, motion magnification: the shape encoder and the manipulator of Oh et al. (2018), without their decoder."""

import torch
from torch import Tensor, nn

from .losses import Follow, is_release


def _conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False, padding_mode="reflect")


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), 3×3, with nothing after the sum (released code)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cba_1 = _conv(channels, channels)
        self.cba_2 = _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        return x + self.cba_2(self.cba_1(x).relu_())


class ShapeEncoder(nn.Module):
    """The encoder of shape, without that of texture; layers and names as in the released code."""

    def __init__(self, in_channels: int, width: int = 32) -> None:
        super().__init__()
        self.cba_1 = _conv(in_channels, width // 2, 7)
        self.cba_2 = _conv(width // 2, width, stride=2)
        self.resblks = nn.Sequential(*(ResidualBlock(width) for _ in range(3)))
        self.motion_cba = _conv(width, width)
        self.motion_resblks = nn.Sequential(*(ResidualBlock(width) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        """Frames (B, C, H, W) -> shape representation M (B, width, H/2, W/2)."""
        x = self.resblks(self.cba_2(self.cba_1(x).relu_()).relu_())
        return self.motion_resblks(self.motion_cba(x).relu_())


class Manipulator(nn.Module):
    """G_m(M_a, M_b, alpha), Eq. (1).

    follow "release": g is 7×7 and the magnified motion is added to M_b; "paper": g is 3×3 and it is added to M_a.
    """

    def __init__(self, width: int = 32, *, alpha: float = 2.0, follow: Follow = "release") -> None:
        super().__init__()
        self.alpha, self.release = alpha, is_release(follow)
        self.g = _conv(width, width, 7 if self.release else 3)
        self.h_conv = _conv(width, width)
        self.h_resblk = ResidualBlock(width)

    def forward(self, M_a: Tensor, M_b: Tensor) -> Tensor:
        """Representations (B, width, h, w) of two frames -> that of the second, its motion magnified."""
        motion = self.h_resblk(self.h_conv(self.alpha * self.g(M_b - M_a).relu_()))
        return motion + (M_b if self.release else M_a)


class MotionMagnification(nn.Module):
    """The magnification at the head of each stream (Sec. 3.1). alpha: amplification factor."""

    def __init__(self, in_channels: int, *, width: int = 32, alpha: float = 2.0, follow: Follow = "release") -> None:
        super().__init__()
        self.encoder = ShapeEncoder(in_channels, width)
        self.manipulator = Manipulator(width, alpha=alpha, follow=follow)

    def forward(self, a: Tensor | None, b: Tensor) -> Tensor:
        """Frames a, b (B, C, H, W) -> representation (B, width, H/2, W/2) of b, its motion from a magnified.

        `a` None stands for zeros, the flow of no motion: nothing in the encoder has a bias, so their representation is
        zero. Raises ValueError for frames of two shapes.
        """
        if a is None:
            M_b = self.encoder(b)
            return self.manipulator(M_b.new_zeros(()), M_b)
        if a.shape != b.shape:
            raise ValueError(f"frames {tuple(a.shape)} and {tuple(b.shape)}: expected one shape")
        M = self.encoder(torch.cat([a, b]))
        return self.manipulator(M[: a.shape[0]], M[a.shape[0] :])
