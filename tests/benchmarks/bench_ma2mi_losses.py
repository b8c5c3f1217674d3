"""Forward and backward of L_1 and L_2 against Eqs. (2)-(4) from all HW×HW similarities, pair by pair or one product."""

import argparse
import time
from functools import partial

import torch
import torch.nn.functional as F

from ma2mi.losses import L_1, L_2

SHAPE = 32, 512, 8, 8  # B, C, H, W


def pair_by_pair(F_1: torch.Tensor, F_2: torch.Tensor) -> torch.Tensor:
    return F.cosine_similarity(F_1.flatten(2)[:, :, :, None], F_2.flatten(2)[:, :, None, :], dim=1)  # (B, HW, HW)


def product(F_1: torch.Tensor, F_2: torch.Tensor) -> torch.Tensor:
    return F.normalize(F_1.flatten(2), dim=1).mT @ F.normalize(F_2.flatten(2), dim=1)


def plain_L_1(F_p: torch.Tensor, similarities) -> torch.Tensor:
    S = similarities(F_p, F_p)
    HW = S.shape[2]
    return S.masked_fill(torch.eye(HW, device=S.device).bool(), 0).sum((1, 2)).mean() / (HW * (HW - 1))


def plain_L_2(F_1: torch.Tensor, F_2: torch.Tensor, similarities) -> torch.Tensor:
    S = similarities(F_1, F_2)
    HW = S.shape[2]
    match = F.one_hot(S.argmax(2), HW).bool()
    first = S.masked_fill(match, 0).sum((1, 2)) / (HW * (HW - 1))
    return (first - S.masked_fill(~match, 0).sum((1, 2)) / HW).mean()


def seconds(loss, *faces: torch.Tensor, repeats: int) -> float:
    """Shortest of `repeats` forward and backward passes, after one to warm up."""
    best = float("inf")
    for _ in range(repeats + 1):
        synchronise()
        start = time.perf_counter()
        loss(*faces).backward()
        synchronise()
        best = min(best, time.perf_counter() - start)
    return best


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="small maps, once: to see that it runs")
    small = p.parse_args(arguments).small
    B, C, H, W = (2, 8, 2, 2) if small else SHAPE
    repeats = 1 if small else 10
    device = "cuda" if torch.cuda.is_available() else "cpu"
    faces = [torch.randn(B, C, H, W, device=device, requires_grad=True) for _ in range(2)]
    print(f"{B}×{C}×{H}×{W} on {device}, {torch.get_num_threads()} threads")
    for loss, plain, inputs in ((L_1, plain_L_1, faces[:1]), (L_2, plain_L_2, faces)):
        ours = seconds(loss, *inputs, repeats=repeats)
        for similarities in (pair_by_pair, product):
            other = partial(plain, similarities=similarities)
            torch.testing.assert_close(loss(*inputs), other(*inputs), rtol=1e-4, atol=1e-5)
            theirs = seconds(other, *inputs, repeats=-(-repeats // 2))
            print(
                f"{loss.__name__}: {1000 * ours:.2f} ms, {similarities.__name__} {1000 * theirs:.2f} ms, "
                f"ratio {theirs / ours:.1f}"
            )


if __name__ == "__main__":
    main()
