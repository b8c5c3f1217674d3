"""SKD-TSTSAN (Sec. 3, Fig. 1): three streams, each with its own motion magnification, and three classifiers."""

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import ECA
from .losses import Follow
from .magnify import MotionMagnification
from .shift import TemporalShift

STREAMS = ("L", "S", "T")  # their order in the features, and in the columns of the released linear layers
GRID = 4  # patches along each side (Sec. 4.2)
PATCHES = GRID**2


class Classified(NamedTuple):
    """Outputs of the classifiers, the deepest last; features are those of L, S, T side by side, before dropout."""

    logits: tuple[Tensor, ...]  # (B, K) each
    features: tuple[Tensor, ...]  # (B, 6 width) each; of TSCNN more


def _layer(
    c_in: int, c_out: int, kernel: int = 3, padding: int = 1, *, segments: int, eca: bool, norm: bool
) -> nn.Sequential:
    """[TSM,] convolution[, batch normalisation], ReLU[, ECA]."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if segments > 1:
        parts["shift"] = TemporalShift(segments)
    parts["conv"] = nn.Conv2d(c_in, c_out, kernel, padding=padding)
    if norm:
        parts["bn"] = nn.BatchNorm2d(c_out)
    parts["relu"] = nn.ReLU(inplace=True)
    if eca:
        parts["eca"] = ECA(c_out)
    return nn.Sequential(parts)


class Stream(nn.Module):
    """One stream, with its share of the auxiliary classifiers. `modified=False`: the layers of TSCNN."""

    def __init__(
        self,
        in_channels: int,
        *,
        mag: bool,
        eca: bool,
        skd: bool,
        segments: int,
        alpha: float,
        width: int,
        follow: Follow,
        modified: bool,
    ) -> None:
        super().__init__()
        self.segments, self.modified = segments, modified
        half, double = width // 2, width * 2
        self.magnify = MotionMagnification(in_channels, width=half, alpha=alpha, follow=follow) if mag else None
        kind: dict[str, Any] = dict(segments=segments, eca=eca, norm=modified)
        self.conv1 = _layer(half if mag else in_channels, width, 5, 0, **kind | dict(segments=1))  # no TSM before it
        self.conv2 = _layer(width, width, **kind)
        self.conv3 = _layer(width, width, **kind)
        self.conv4 = _layer(width, double, **kind)
        self.conv5 = _layer(double, double, **kind)
        if skd:
            self.AC1 = nn.Sequential(_layer(width, double, **kind), _layer(double, double, **kind))
            self.AC2 = nn.Sequential(_layer(width, double, **kind), _layer(double, double, **kind))

    def forward(self, a: Tensor | None, b: Tensor, auxiliary: bool) -> list[Tensor]:
        """Frames a, b (B segments, C, H, W) -> features (B, 2 width) of AC1, AC2 (if `auxiliary`) and conv5.

        `a` None: the flow of no motion; without `mag`, `a` is ignored. TSCNN has 2 width channels on ⌈(H − 4) / 8⌉
        rows and columns: (B, 4608) at 48×48.
        """
        x = self.magnify(a, b) if self.magnify else b
        x1 = F.max_pool2d(self.conv1(x), 5, 2, 2)
        x3 = F.avg_pool2d(self.conv3(self.conv2(x1)), 3, 2, 1)
        x5 = self.conv5(self.conv4(x3))
        maps = [self.AC1(x1), self.AC2(x3), x5] if auxiliary else [x5]
        return [self._pool(x).unflatten(0, (-1, self.segments)).mean(1) for x in maps]

    def _pool(self, x: Tensor) -> Tensor:
        return (F.avg_pool2d(x, x.shape[-2:]) if self.modified else F.avg_pool2d(x, 3, 2, 1)).flatten(1)


class SKD_TSTSAN(nn.Module):
    """The network of Fig. 1: three streams and, with SKD, three classifiers.

    mag, eca, tsm, skd: the rows of Table 5; a part that is switched off does not exist (without TSM the flows are one
    input of 2 domains channels, Fig. 4a; without SKD there are no auxiliary classifiers). domains: 2, 5 or 10 in
    Table 6. alpha: amplification factor. size: side of the inputs. width: channels of conv1. modified=False: the
    baseline with the layers of TSCNN.
    """

    def __init__(
        self,
        classes: int = 5,
        *,
        mag: bool = True,
        eca: bool = True,
        tsm: bool = True,
        skd: bool = True,
        domains: int = 2,
        alpha: float = 2.0,
        dropout: float = 0.2,
        size: int = 48,
        width: int = 64,
        follow: Follow = "release",
        modified: bool = True,
    ) -> None:
        super().__init__()
        if not modified and (mag or eca or tsm or skd):
            raise ValueError("TSCNN (modified=False) has neither mag, eca, tsm nor skd")
        self.domains, self.segments, self.skd, self.size = domains, domains if tsm else 1, skd, size
        channels = dict(S=1, L=PATCHES, T=2 if tsm else 2 * domains)
        common: dict[str, Any] = dict(mag=mag, skd=skd, alpha=alpha, width=width, follow=follow, modified=modified)
        self.streams = nn.ModuleDict(
            {
                s: Stream(channels[s], eca=eca and s == "L", segments=self.segments if s == "T" else 1, **common)
                for s in STREAMS
            }
        )
        self.dropout = nn.Dropout(dropout)
        last = 1 if modified else -(-(size - 4) // 8)  # side of the last maps: TSCNN halves them three times
        features = 3 * 2 * width * last**2
        self.AC_fc = nn.ModuleList(nn.Linear(features, classes) for _ in range(2 if skd else 0))
        self.fc = nn.Linear(features, classes)
        self.to(memory_format=torch.channels_last)  # the faster layout for these convolutions on a CPU

    def forward(self, x: Tensor, auxiliary: bool | None = None) -> Classified:
        """Grey x (B, 34 + 2 domains, size, size) -> logits and features of the classifiers that are run.

        Channels of x: apex, onset, 16 apex patches, 16 onset patches, all in [0, 1], then u, v of each temporal
        domain's flow (Sec. 4.2). auxiliary: run the auxiliary classifiers, too (None: in training only; Table 7 needs
        them). Raises ValueError for other shapes of x and, on the CPU, for grey values outside [0, 1].
        """
        auxiliary = self.skd and (self.training if auxiliary is None else auxiliary)
        channels = [1, 1, PATCHES, PATCHES, 2 * self.domains]
        expected = (sum(channels), self.size, self.size)
        if x.shape[1:] != expected:
            wanted = f"(B, {', '.join(map(str, expected))}) for {self.domains} temporal domains"
            raise ValueError(f"inputs {tuple(x.shape)}: expected {wanted}")
        if x.numel() and x.is_cpu and not torch.compiler.is_compiling():
            low, high = x[:, : -2 * self.domains].detach().aminmax()
            if not (low >= -0.001 and high <= 1.001):
                raise ValueError(f"frames and patches between {low:g} and {high:g}: expected [0, 1]")
        x = x.contiguous(memory_format=torch.channels_last)
        apex, onset, apex_patches, onset_patches, flow = x.split(channels, 1)
        flow = flow.unflatten(1, (self.segments, -1)).flatten(0, 1)
        pairs: dict[str, tuple[Tensor | None, Tensor]]
        pairs = dict(S=(onset, apex), L=(onset_patches, apex_patches), T=(None, flow))
        per_stream = [self.streams[s](*pairs[s], auxiliary) for s in STREAMS]
        features = tuple(torch.cat(parts, 1) for parts in zip(*per_stream, strict=True))
        heads = [*self.AC_fc, self.fc] if auxiliary else [self.fc]
        return Classified(tuple(fc(self.dropout(f)) for fc, f in zip(heads, features, strict=True)), features)

    def predict(self, x: Tensor) -> Tensor:
        """x as in `forward` -> class probabilities (B, classes) of the deepest classifier."""
        return self(x, auxiliary=False).logits[-1].softmax(1)


def TSCNN(classes: int = 5, *, size: int = 48, width: int = 64) -> SKD_TSTSAN:
    """The baseline of Song et al. (2019) as Sec. 4.5.1 implies it: no batch norm, average pooling last, no dropout."""
    return SKD_TSTSAN(
        classes, mag=False, eca=False, tsm=False, skd=False, dropout=0.0, size=size, width=width, modified=False
    )
