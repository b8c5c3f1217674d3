"""Dual TV-L1 optical flow (Zach et al. 2007), batched, with OpenCV's steps and defaults; and the strain of a flow.

This file needs torch alone: copy it into your own project.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TAU = 0.25  # time step of the dual variable
LAMBDA = 0.15  # weight of the data term
THETA = 0.3  # how tightly the two parts of the solution are tied
SCALES, STEP = 5, 0.8  # levels of the pyramid at most, and the ratio of their sizes
WARPS = 5  # linearisations on each level
OUTER, INNER = 10, 30  # iterations of each at most: OUTER times INNER, before which the flow is median-filtered
EPSILON = 0.01  # root mean square of a step, in pixels, at which an image is left as it is


def tvl1(I0: Tensor, I1: Tensor) -> Tensor:
    """Optical flow I0 -> I1, (B, 2, H, W) float32, in pixels: rightward, then downward motion; without gradient.

    I0, I1: (B, H, W) grey, uint8 or floating in [0, 1]. Raises ValueError for other shapes and values.
    """
    if I0.ndim != 3 or I0.shape != I1.shape or not I0[:1].numel():
        raise ValueError(f"two (B, H, W) batches of equal shape expected, not {tuple(I0.shape)} and {tuple(I1.shape)}")
    I0, I1 = _grey(I0), _grey(I1)
    return _in_threads(_pyramid, I0, I1) if I0.device.type == "cpu" else _pyramid(I0, I1)


def strain(flow: Tensor) -> Tensor:
    """Magnitude of the optical strain, √(u_x² + v_y² + ½ (u_y + v_x)²), of a flow (…, 2, H, W): (…, H, W).

    Derivatives are central differences, at the borders one-sided. Raises ValueError for other shapes.
    """
    if flow.ndim < 3 or flow.shape[-3] != 2 or min(flow.shape[-2:]) < 2:
        raise ValueError(f"a flow (…, 2, H, W) of 2 × 2 pixels at least expected, not {tuple(flow.shape)}")
    (u_y, v_y), (u_x, v_x) = (d.unbind(-3) for d in torch.gradient(flow, dim=(-2, -1)))
    return (u_x**2 + v_y**2 + (u_y + v_x) ** 2 / 2).sqrt()


def _grey(I: Tensor) -> Tensor:
    """Images (B, H, W) as float32 in 0..255."""
    if I.dtype == torch.uint8:
        return I.float()
    if not I.is_floating_point() or not ((I >= 0) & (I <= 1)).all():
        low, high = I.aminmax()
        raise ValueError(f"images are uint8, or floating in [0, 1], not {I.dtype} from {low:.4g} to {high:.4g}")
    return I.detach().float() * 255


def _in_threads(flow: Callable[[Tensor, Tensor], Tensor], I0: Tensor, I1: Tensor) -> Tensor:
    """Four pairs at a time, to stay near a core's cache; a thread a core, as the operations are too short to share.

    (Short operations spread over cores wait for each other: very long where the machine has other work.)
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return torch.cat(list(pool.map(flow, I0.split(4), I1.split(4))))
    finally:
        torch.set_num_threads(threads)


def _pyramid(I0: Tensor, I1: Tensor) -> Tensor:
    """Flow (B, 2, H, W) in pixels of images (B, H, W) in 0..255, from the coarsest level to the finest."""
    levels = [(I0, I1)]
    for _ in range(SCALES - 1):
        H, W = (round(n * STEP) for n in levels[-1][0].shape[-2:])
        if min(H, W) < 16:
            break
        I0, I1 = (_resize(I, H, W, 1 / STEP) for I in (I0, I1))
        levels.append((I0, I1))
    B, H, W = levels[-1][0].shape
    u = I0.new_zeros(B, 2, H, W)
    for I0, I1 in reversed(levels):
        H, W = I0.shape[-2:]
        if u.shape[-2:] != (H, W):
            u = _resize(u, H, W) / STEP
        u = _level(I0, I1, u)
    return u


def _resize(x: Tensor, H: int, W: int, stride: float | None = None) -> Tensor:
    """Bilinear, no smoothing; output pixel i lies at (i + .5) * stride - .5 (stride None: input size / output size)."""
    for dim, size in ((-2, H), (-1, W)):
        n = x.shape[dim]
        at = ((torch.arange(size, device=x.device) + 0.5) * (stride or n / size) - 0.5).clamp(0, n - 1)
        low = at.long()
        weight = (at - low).unsqueeze(-1) if dim == -2 else at - low
        x = torch.lerp(x.index_select(dim, low), x.index_select(dim, (low + 1).clamp(max=n - 1)), weight)
    return x


def _level(I0: Tensor, I1: Tensor, u: Tensor) -> Tensor:
    """The flow u (B, 2, H, W), in pixels of this level of the pyramid, refined."""
    B, H, W = I0.shape
    rows, cols = torch.arange(H, device=u.device), torch.arange(W, device=u.device)
    I1_x = (I1[..., (cols + 1).clamp(max=W - 1)] - I1[..., (cols - 1).clamp(min=0)]) / 2
    I1_y = (I1[..., (rows + 1).clamp(max=H - 1), :] - I1[..., (rows - 1).clamp(min=0), :]) / 2
    side = 1 << (max(H, W) - 1).bit_length()  # a power of two, with which whole pixels are exact in grid_sample's units
    source = F.pad(torch.stack([I1, I1_x, I1_y], 1), (0, side - W, 0, side - H))
    pixel = torch.stack(torch.meshgrid(cols, rows, indexing="xy"), -1)
    p = u.new_zeros(B, 2, 2, H, W)
    for _ in range(WARPS):
        grid = (2 * (pixel + u.permute(0, 2, 3, 1)) + 1) / side - 1
        warped = F.grid_sample(source, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
        g = warped[:, 1:]
        rho_c = warped[:, 0] - (g * u).sum(1) - I0
        _solve(u, p, g.contiguous(), rho_c)
    return u


def _solve(u: Tensor, p: Tensor, g: Tensor, rho_c: Tensor) -> None:
    """Minimises over u (B, 2, H, W) and its dual p (B, 2 directions, 2, H, W), in place; g: I1's warped gradient.

    An image leaves the batch once its mean squared step is at most EPSILON². Fields are handled as flat memory: p_x is
    zero in the last column and p_y in the last row, so that what a shift by one pixel or one row carries over an
    image's border is zero, as the divergence's boundary asks.
    """
    B, _, H, W = u.shape
    square = (g * g).sum(1).clamp(min=torch.finfo(u.dtype).eps)
    live = torch.arange(B, device=u.device)
    v, p_x, p_y = (x.clone(memory_format=torch.contiguous_format) for x in (u, p[:, 0], p[:, 1]))
    a, r = g / square.unsqueeze(1), rho_c / square
    one = u.new_ones(())
    s, d, norm, d_x, d_y = torch.empty_like(r), *(torch.empty_like(v) for _ in range(4))
    for n in range(OUTER * INNER):
        if n % INNER == 0:
            v = _median5(v)
        # the thresholding step: v = u - g clamp(rho / |g|², ±LAMBDA THETA), and u = v + THETA div p
        torch.addcmul(r, a[:, 0], v[:, 0], out=s).addcmul_(a[:, 1], v[:, 1]).clamp_(-LAMBDA * THETA, LAMBDA * THETA)
        torch.mul(s.unsqueeze(1), g, out=d)
        torch.sub(p_x, d, alpha=1 / THETA, out=d)
        flat = d.view(-1)
        flat[1:] -= p_x.view(-1)[:-1]
        d += p_y
        flat[W:] -= p_y.view(-1)[:-W]
        v.add_(d, alpha=THETA)
        # the dual step: p = (p + TAU/THETA grad u) / (1 + TAU/THETA |grad u|)
        flat = v.view(-1)
        torch.sub(flat[1:], flat[:-1], out=d_x.view(-1)[:-1])
        torch.sub(flat[W:], flat[:-W], out=d_y.view(-1)[:-W])
        d_x[..., -1] = 0
        d_y[..., -1, :] = 0
        torch.mul(d_x, d_x, out=norm).addcmul_(d_y, d_y).sqrt_()
        torch.add(one, norm, alpha=TAU / THETA, out=norm)
        p_x.add_(d_x, alpha=TAU / THETA).div_(norm)
        p_y.add_(d_y, alpha=TAU / THETA).div_(norm)
        step = d.flatten(1)
        moving = torch.linalg.vecdot(step, step) * THETA**2 > EPSILON**2 * H * W
        if not moving.all():
            still = live[~moving]
            u[still], p[still, 0], p[still, 1] = v[~moving], p_x[~moving], p_y[~moving]
            live, v, p_x, p_y, a, r, g = (x[moving] for x in (live, v, p_x, p_y, a, r, g))
            if not len(live):
                return
            s, d, norm, d_x, d_y = (x[: len(live)] for x in (s, d, norm, d_x, d_y))
    u[live], p[live, 0], p[live, 1] = v, p_x, p_y


def _median5(x: Tensor) -> Tensor:
    """Median over 5×5 windows, borders repeated; a sorting network over the 25 shifted images."""
    *_, H, W = x.shape
    padded = F.pad(x, (2, 2, 2, 2), mode="replicate")
    wires: list[Any] = [padded[..., i : i + H, j : j + W] for i in range(5) for j in range(5)]
    for i, j, low, high in _median_network(25):
        a, b = wires[i], wires[j]
        wires[i] = torch.minimum(a, b) if low else None
        wires[j] = torch.maximum(a, b) if high else None
    return wires[12]


@cache
def _median_network(n: int) -> list[tuple[int, int, bool, bool]]:
    """The part of Batcher's odd-even merge sort on which the middle one of n numbers depends.

    Comparators (i, j, is the minimum needed, is the maximum needed), in order.
    """
    comparators = []
    p = 1
    while p < n:
        k = p
        while k:
            comparators += [
                (i, i + k)
                for j in range(k % p, n - k, 2 * k)
                for i in range(j, min(j + k, n - k))
                if i // (2 * p) == (i + k) // (2 * p)
            ]
            k //= 2
        p *= 2
    needed, kept = {n // 2}, []
    for i, j in reversed(comparators):
        if needed & {i, j}:
            kept.append((i, j, i in needed, j in needed))
            needed |= {i, j}
    return kept[::-1]
