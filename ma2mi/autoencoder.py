"""The frozen autoencoder of latent diffusion, Eq. (7), which DiT uses too ("the autoencoder in [37]", Sec. 3.2)."""

import json
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILE = "diffusion_pytorch_model.safetensors"
ORIGIN = (
    f"the autoencoder's weights are the file {FILE} of 'stabilityai/sd-vae-ft-ema' (or 'stabilityai/sd-vae-ft-mse') on "
    "the Hugging Face hub, about 335 MB"
)
PICKLED = (".bin", ".ckpt", ".pt", ".pth")
OLDER_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Autoencoder(nn.Module):
    """Images (B, 3, H, W) in [-1, 1] <-> Z (B, 4, H/8, W/8) of about unit variance. Random weights until loaded."""

    scale = 0.18215

    def __init__(self, channels: tuple[int, ...] = (128, 256, 512, 512), latent: int = 4) -> None:
        super().__init__()
        first, last, top = channels[0], channels[-1], len(channels) - 1
        self.factor = 2**top  # by which Z is smaller than the image
        down = enumerate(pairwise([first, *channels]))
        up = enumerate(pairwise([last, *reversed(channels)]))
        self.encoder = named(
            conv_in=conv(3, first),
            down_blocks=nn.Sequential(*(down_block(a, b, halve=i < top) for i, (a, b) in down)),
            mid_block=MidBlock(last),
            conv_norm_out=group_norm(last),
            act=nn.SiLU(),
            conv_out=conv(last, 2 * latent),
        )
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)
        self.decoder = named(
            conv_in=conv(latent, last),
            mid_block=MidBlock(last),
            up_blocks=nn.Sequential(*(up_block(a, b, double=i < top) for i, (a, b) in up)),
            conv_norm_out=group_norm(first),
            act=nn.SiLU(),
            conv_out=conv(first, 3),
        )
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> "Autoencoder":
        """An autoencoder with the published weights, from their file or its folder, in both spellings of the attention.

        Raises FileNotFoundError where there is no file, and ValueError for other tensors and for pickled files.
        """
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        pickled = [p for p in (path, path.with_suffix(".bin")) if p.suffix in PICKLED and p.is_file()]
        if pickled and (not path.is_file() or path in pickled):
            raise ValueError(f"{pickled[0]} is pickled and is not read: safetensors is required; {ORIGIN}")
        if not path.is_file():
            raise FileNotFoundError(f"{path} not found: {ORIGIN}")
        net = cls()
        expected = net.state_dict()
        found = {current_name(name): tensor for name, tensor in read_safetensors(path).items()}
        shapes = [{name: tensor.shape for name, tensor in state.items()} for state in (expected, found)]
        wrong = sorted({name for name, _ in shapes[0].items() ^ shapes[1].items()})
        if wrong:
            raise ValueError(
                f"{path} is not this autoencoder: {len(wrong)} tensors are missing, unknown or of another shape "
                f"(expected {len(expected)} in all), the first of them {', '.join(wrong[:3])}"
            )
        bad = [name for name, tensor in found.items() if not tensor.isfinite().all()]
        if bad:
            raise ValueError(f"{path} holds numbers that are not finite, in {bad[0]}; fetch it again")
        net.load_state_dict(found)
        return net

    def encode(self, I: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> Z (B, 4, H/8, W/8), Eq. (7): the posterior's mean.

        Raises ValueError for other shapes and for sides that are no multiple of 8."""
        divisible(I, self.factor)
        mean, _ = self.quant_conv(self.encoder(I)).chunk(2, dim=1)
        return mean * self.scale

    def decode(self, Z: Tensor) -> Tensor:
        """Z (B, 4, h, w) -> images (B, 3, 8 h, 8 w), not clamped."""
        return self.decoder(self.post_quant_conv(Z / self.scale))


class PoolAutoencoder(nn.Module):
    """For quick runs, not in the paper: Z is the image, `factor` times smaller, with its grey mean as fourth channel.

    It is scaled to about unit variance on faces, as the published Z is: unscaled, DiT is slow to learn to copy Z_t."""

    scale = 3.0

    def __init__(self, factor: int = 8) -> None:
        super().__init__()
        self.factor = factor

    def encode(self, I: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> Z (B, 4, H/factor, W/factor)."""
        divisible(I, self.factor)
        small = F.avg_pool2d(I, self.factor) * self.scale
        return torch.cat([small, small.mean(dim=1, keepdim=True)], dim=1)

    def decode(self, Z: Tensor) -> Tensor:
        """Z (B, 4, h, w) -> images (B, 3, factor h, factor w)."""
        return F.interpolate(Z[:, :3] / self.scale, scale_factor=float(self.factor))


class Residual(nn.Module):
    """Two normalised 3×3 convolutions beside a shortcut."""

    def __init__(self, C_in: int, C_out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = group_norm(C_in), conv(C_in, C_out)
        self.norm2, self.conv2 = group_norm(C_out), conv(C_out, C_out)
        self.conv_shortcut = nn.Identity() if C_in == C_out else nn.Conv2d(C_in, C_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H, W)."""
        y = self.conv1(F.silu(self.norm1(x)))
        return self.conv2(F.silu(self.norm2(y))) + self.conv_shortcut(x)


class Attention(nn.Module):
    """One head over all positions of the map, beside a shortcut."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.group_norm = group_norm(C)
        self.to_q, self.to_k, self.to_v = (nn.Linear(C, C) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(C, C))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = self.group_norm(x).flatten(2).mT  # (B, HW, C)
        q, k, v = self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)
        tokens = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.to_out(tokens).mT.view_as(x)


class MidBlock(nn.Module):
    """Attention between two residual blocks."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([Residual(C, C), Residual(C, C)])
        self.attentions = nn.ModuleList([Attention(C)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


def down_block(C_in: int, C_out: int, *, halve: bool) -> nn.Sequential:
    """Two residual blocks, then half the size; padded to the right and below alone, as published."""
    half = [named(pad=nn.ZeroPad2d((0, 1, 0, 1)), conv=nn.Conv2d(C_out, C_out, 3, stride=2))] if halve else []
    return named(resnets=residuals(C_in, C_out, 2), downsamplers=nn.Sequential(*half))


def up_block(C_in: int, C_out: int, *, double: bool) -> nn.Sequential:
    """Three residual blocks, then twice the size."""
    twice = [named(up=nn.Upsample(scale_factor=2.0), conv=conv(C_out, C_out))] if double else []
    return named(resnets=residuals(C_in, C_out, 3), upsamplers=nn.Sequential(*twice))


def residuals(C_in: int, C_out: int, count: int) -> nn.Sequential:
    """Residual blocks, of which the first changes the channels."""
    return nn.Sequential(Residual(C_in, C_out), *(Residual(C_out, C_out) for _ in range(count - 1)))


def conv(C_in: int, C_out: int) -> nn.Conv2d:
    """A 3×3 convolution; the map keeps its size."""
    return nn.Conv2d(C_in, C_out, 3, padding=1)


def group_norm(C: int) -> nn.GroupNorm:
    """The published normalisation, of 32 groups."""
    return nn.GroupNorm(32, C, eps=1e-6)


def divisible(I: Tensor, factor: int) -> None:
    """Raises ValueError unless images are (B, 3, H, W) whose sides are multiples of `factor`."""
    if I.ndim != 4 or I.shape[1] != 3 or I.shape[2] % factor or I.shape[3] % factor:
        raise ValueError(f"images must be (B, 3, H, W), H and W multiples of {factor}, not {tuple(I.shape)}")


def named(**modules: nn.Module) -> nn.Sequential:
    """A chain whose links have the names of the published weights."""
    return nn.Sequential(OrderedDict(modules))


def current_name(name: str) -> str:
    """`….attentions.0.query.weight` of older files as `….attentions.0.to_q.weight`."""
    block, _, parameter = name.rpartition(".")
    parent, _, layer = block.rpartition(".")
    return f"{parent}.{OLDER_NAMES[layer]}.{parameter}" if layer in OLDER_NAMES else name


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file: the header's length in 8 bytes, the header as JSON, then the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            values = torch.frombuffer(bytearray(data[start + begin : start + end]), dtype=DTYPES[entry["dtype"]])
            tensors[name] = values.view(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path} is cut off or no safetensors file ({error}); fetch it again") from error
    return tensors
