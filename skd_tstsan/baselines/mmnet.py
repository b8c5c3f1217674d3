"""MMNet (Li et al., "MMNet: Muscle motion-guided network", IJCAI 2022), as in the authors' code for five classes.

The text of the paper was not at hand. Initial weights are torch's own, the learned positions N(0, .02²): not in the
released facts that this file was written from.
"""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RELEASED = (  # released names -> names here
    (r"^conv_act\.", "stem."),
    (r"^main_branch\.conv1\.", "entry.0."),
    (r"^main_branch\.bn1\.", "entry.1."),
    (r"^main_branch\.layer(\d)\.0\.", lambda m: f"blocks.{int(m[1]) - 1}."),
    (r"^main_branch\.fc\.", "fc."),
    (r"^vit_pos\.patch_embed\.proj\.", "position.embed."),
    (r"^vit_pos\.pos_embed$", "position.positions"),
    (r"^vit_pos\.", "position."),
)
UNUSED = ("timeembed", "pos.", "vit_pos.cls_token", "vit_pos.head.", "vit_pos.to_Mask.", "head.1.")  # beginnings


class MMNet(nn.Module):
    """Motion between onset and apex, guided by where on the face it is; 9,438,841 parameters for five classes.

    forward: onset and apex, each (B, 3, size, size), RGB less ImageNet's mean and over its deviation -> logits
    (B, classes). size: 224 in the released code, a multiple of 16; width: channels of the first blocks, 128 there, a
    multiple of 4. antialias: whether the small onset is smoothed (today's default of torchvision; not the released
    one of 2022). Raises ValueError for other shapes.
    """

    def __init__(self, classes: int = 5, *, size: int = 224, width: int = 128, antialias: bool = False) -> None:
        super().__init__()
        if size % 16 or size < 16 or width % 4 or width < 4:
            raise ValueError(f"MMNet needs a size in 16s and a width in 4s, not size={size}, width={width}")
        self.size, self.antialias = size, antialias
        first = 180 * width // 128
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)
        )
        self.entry = nn.Sequential(
            nn.Conv2d(first, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        channels = (width, width, width, 2 * width, 4 * width)
        self.blocks = nn.ModuleList(
            Block(channels[i], channels[i + 1], stride=2 if i else 1) for i in range(len(channels) - 1)
        )
        self.position = Position(4 * width, side=size // 16)
        self.fc = nn.Linear(4 * width * (size // 16) ** 2, classes)

    def motion(self, onset: Tensor, apex: Tensor) -> Tensor:
        """The main branch's maps (B, 4 width, size / 16, size / 16)."""
        x, attention = self.entry(self.stem(apex - onset)), None
        for block in self.blocks:
            x, attention = block(x, attention)
        return x

    def where(self, onset: Tensor) -> Tensor:
        """The position branch's maps, of the same shape."""
        side = self.size // 16
        return self.position(F.interpolate(onset, (side, side), mode="bilinear", antialias=self.antialias))

    def forward(self, onset: Tensor, apex: Tensor) -> Tensor:
        """Onset and apex (B, 3, size, size), normalised -> logits (B, classes)."""
        if onset.ndim != 4 or onset.shape != apex.shape or onset.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"MMNet takes onset and apex, each (B, 3, {self.size}, {self.size}), not {tuple(onset.shape)} and "
                f"{tuple(apex.shape)}"
            )
        looked_at = onset.numel() and onset.is_cpu and not torch.compiler.is_compiling()
        if looked_at and not max(x.detach().abs().amax() for x in (onset, apex)) < 10:
            raise ValueError("MMNet takes frames in [0, 1] less ImageNet's mean, over its deviation: not bytes")
        return self.fc((self.motion(onset, apex) + self.where(onset)).flatten(1))

    def predict(self, onset: Tensor, apex: Tensor) -> Tensor:
        """Onset and apex as in `forward` -> class probabilities (B, classes)."""
        return self(onset, apex).softmax(1)

    @classmethod
    def from_released(cls, state_dict: Mapping[str, Tensor]) -> "MMNet":
        """The network with weights under the released names; those that no output depends on (UNUSED) are left out.

        Raises ValueError for names and shapes that do not fit.
        """
        given = {}
        for name, value in state_dict.items():
            name = name.removeprefix("module.")  # of data-parallel training
            if not name.startswith(UNUSED):
                for pattern, ours in RELEASED:
                    name = re.sub(pattern, ours, name)
                given[name] = value
        if "fc.weight" not in given:
            raise ValueError("main_branch.fc.weight, which gives the number of classes, is not among MMNet's weights")
        net = cls(len(given["fc.weight"]))
        try:
            net.load_state_dict(given)
        except RuntimeError as error:
            raise ValueError(f"these weights are not those of MMNet: {error}") from error
        return net


class Block(nn.Module):
    """A residual block whose output is weighted by an attention map, which goes on to the next block."""

    def __init__(self, c_in: int, c_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride > 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        self.attn = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, x: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """x (B, c_in, H, W), the attention (B, 1, H, W) of the block before or None -> maps (B, c_out, H / stride,
        W / stride) and attention (B, 1, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        y = (y + (x if self.downsample is None else self.downsample(x))).relu()
        attention = self.attn(torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1))
        if before is not None:
            attention = attention * F.max_pool2d(before, 3, stride=2, padding=1)
        return y * attention, attention


class Position(nn.Module):
    """A small vision transformer, one token per pixel, no class token."""

    def __init__(self, dim: int, *, side: int, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, dim, 1)
        self.positions = nn.Parameter(0.02 * torch.randn(1, side**2, dim))
        self.blocks = nn.ModuleList(Layer(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """The small onset (B, 3, side, side) -> maps (B, dim, side, side)."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens).transpose(1, 2).unflatten(2, x.shape[2:])


class Layer(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(dim, 3 * dim), "proj": nn.Linear(dim, dim)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, dim) -> (B, N, dim)."""
        q, k, v = self.attn["qkv"](self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))
