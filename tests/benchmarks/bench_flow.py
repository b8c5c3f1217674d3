"""Dual TV-L1 flow of 64 pairs of 128×128: shared between threads here against OpenCV's, pair by pair, in one run."""

import argparse
import time

import cv2
import torch
import torch.nn.functional as F

from shared.pixels.flow import tvl1


def warped(pairs: int, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Textures and the same under smooth random warps, uint8."""

    def smooth(channels: int, cells: int) -> torch.Tensor:
        x = torch.randn(pairs, channels, cells, cells, generator=generator)
        return F.interpolate(x, size=(size, size), mode="bicubic", align_corners=True)

    I1 = 128 + 40 * (smooth(1, 8) + 0.7 * smooth(1, 20) + 0.5 * smooth(1, 50))
    eye = torch.eye(2, 3).expand(pairs, 2, 3)
    grid = F.affine_grid(eye, list(I1.shape), align_corners=True) + smooth(2, 4).permute(0, 2, 3, 1) * 2 / size
    I0 = F.grid_sample(I1, grid, mode="bicubic", padding_mode="border", align_corners=True)
    return tuple(I[:, 0].clamp(0, 255).round().byte() for I in (I0, I1))


def opencv(I0: torch.Tensor, I1: torch.Tensor) -> torch.Tensor:
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    pairs = zip(I0.numpy(), I1.numpy(), strict=True)
    return torch.stack([torch.from_numpy(solver.calc(a, b, None)) for a, b in pairs]).permute(0, 3, 1, 2)


def timed(flow, *images) -> tuple[torch.Tensor, float, float]:
    """Flow, wall-clock and processor time in ms a pair."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = flow(*images).cpu()
    pairs = len(images[0])
    return result, (time.perf_counter() - wall) / pairs * 1e3, (time.process_time() - cpu) / pairs * 1e3


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="two small pairs: to see that it runs")
    pairs, size = (2, 32) if p.parse_args(arguments).small else (64, 128)
    I0, I1 = warped(pairs, size, torch.Generator().manual_seed(0))
    tvl1(I0[:4], I1[:4])
    reference, wall_cv, cpu_cv = timed(opencv, I0, I1)
    print(f"OpenCV, {cv2.getNumThreads()} threads: {wall_cv:.1f} ms a pair, processor time {cpu_cv:.1f} ms")
    flow, wall, cpu = timed(tvl1, I0, I1)
    print(
        f"tvl1, {torch.get_num_threads()} threads: {wall:.1f} ms a pair, processor time {cpu:.1f} ms; "
        f"ratio {wall / wall_cv:.2f} to OpenCV's time, {cpu / cpu_cv:.2f} to its processor time; "
        f"median difference {(flow - reference).norm(dim=1).median():.4f} px"
    )
    if torch.cuda.is_available():
        I0, I1 = I0.cuda(), I1.cuda()
        timed(tvl1, I0, I1)
        _, wall, _ = timed(tvl1, I0, I1)
        print(f"tvl1, {torch.cuda.get_device_name()}: {wall:.2f} ms a pair, {wall_cv / wall:.0f} times OpenCV's speed")


if __name__ == "__main__":
    main()
