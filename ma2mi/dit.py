"""DiT, Eq. (8): predicts the latents of the future frame from Z_t and C_Δ (Sec. 3.2; Peebles and Xie 2023).

State-dict names are those of the published DiT, so that its blocks load.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class DiT(nn.Module):
    """Predicts Ẑ_{t+δ} from Z_t, both (B, channels, size, size), and C_Δ (B, condition); exactly 0 before training.

    Raises ValueError for other shapes. The default is DiT-B/2 on latents; the patch size is not in the paper.
    `DiT(256, patch=16, channels=3)` works on pixels (MA2MI† of Table 1). C_Δ alone conditions: there is no timestep and
    no class.
    """

    def __init__(
        self,
        size: int = 32,
        *,
        patch: int = 2,
        channels: int = 4,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        condition: int = 768,
    ) -> None:
        super().__init__()
        if size % patch or dim % heads or dim % 4:
            raise ValueError(f"size {size} must be a multiple of patch {patch}, dim {dim} of heads {heads} and of 4")
        self.patch, self.shape, self.condition = patch, (channels, size, size), condition
        proj = nn.Conv2d(channels, dim, patch, stride=patch)
        self.x_embedder = nn.Sequential(OrderedDict(proj=proj))
        self.pos_embed = nn.Parameter(sincos_2d(size // patch, dim), requires_grad=False)
        self.blocks = nn.ModuleList(Block(dim, heads, condition) for _ in range(depth))
        self.final_layer = FinalLayer(dim, patch * patch * channels, condition)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(proj.weight.flatten(1))
        if proj.bias is not None:
            nn.init.zeros_(proj.bias)
        for layer in [self.final_layer.linear, *(m.adaLN_modulation[1] for m in [*self.blocks, self.final_layer])]:
            nn.init.zeros_(layer.weight)

    def forward(self, Z_t: Tensor, C_delta: Tensor) -> Tensor:
        """Z_t (B, channels, size, size) and C_Δ (B, condition) -> Ẑ_{t+δ} (B, channels, size, size), Eq. (8)."""
        B = Z_t.shape[0]  # len would fix it in an exported graph
        if Z_t.shape != (B, *self.shape) or C_delta.shape != (B, self.condition):
            wanted = f"Z_t (B, {', '.join(map(str, self.shape))}) and C_delta (B, {self.condition})"
            raise ValueError(f"expected {wanted}, not {tuple(Z_t.shape)} and {tuple(C_delta.shape)}")
        x = self.x_embedder(Z_t)
        h = x.shape[2]
        x = rearrange(x, "b d h w -> b (h w) d") + self.pos_embed
        for block in self.blocks:
            x = block(x, C_delta)
        x = self.final_layer(x, C_delta)
        return rearrange(x, "b (h w) (p q c) -> b c (h p) (w q)", h=h, p=self.patch, q=self.patch)


class Block(nn.Module):
    """adaLN-Zero block: tokens (B, N, dim), condition (B, condition) -> (B, N, dim); the identity before training."""

    def __init__(self, dim: int, heads: int, condition: int) -> None:
        super().__init__()
        self.attn = Attention(dim, heads)
        fc1, act, fc2 = nn.Linear(dim, 4 * dim), nn.GELU("tanh"), nn.Linear(4 * dim, dim)
        self.mlp = nn.Sequential(OrderedDict(fc1=fc1, act=act, fc2=fc2))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(condition, 6 * dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens x (B, N, dim), condition c (B, condition) -> (B, N, dim)."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.adaLN_modulation(c)[:, None].chunk(6, dim=2)
        x = x + gate_a * self.attn(modulate(x, shift_a, scale_a))
        return x + gate_m * self.mlp(modulate(x, shift_m, scale_m))


class Attention(nn.Module):
    """Multi-head self-attention over tokens (B, N, dim)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, dim) -> (B, N, dim)."""
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(rearrange(x, "b h n d -> b n (h d)"))


class FinalLayer(nn.Module):
    """The values (B, N, out) of the patches of tokens (B, N, dim)."""

    def __init__(self, dim: int, out: int, condition: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(condition, 2 * dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens x (B, N, dim), condition c (B, condition) -> (B, N, out)."""
        shift, scale = self.adaLN_modulation(c)[:, None].chunk(2, dim=2)
        return self.linear(modulate(x, shift, scale))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LayerNorm whose affine map comes from the condition."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def sincos_2d(side: int, dim: int) -> Tensor:
    """Fixed positions (1, side², dim): half of the channels is sin and cos of the column, half of the row."""
    omega = 1 / 10000 ** (torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    angle = torch.arange(side, dtype=torch.float64)[:, None] * omega
    line = torch.cat([angle.sin(), angle.cos()], dim=1)  # (side, dim / 2)
    return torch.cat([line.repeat(side, 1), line.repeat_interleave(side, dim=0)], dim=1)[None].float()
