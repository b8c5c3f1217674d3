"""Frames of synthetic faces per second at 128x128 on one core, beside a plain grid_sample of as large a picture."""

import argparse
import time

import torch

from shared.synthetic import Clip, Person


def seconds(run) -> float:
    """Processor time of one call, the least of five."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="few small frames: to see that it runs")
    people, size, frames = (1, 32, 4) if p.parse_args(arguments).small else (8, 128, 64)
    torch.set_num_threads(1)
    start = time.process_time()
    drawn = [Person.draw(s) for s in range(people)]
    for person in drawn:
        Clip(person, {}, frames=1, onset=0, apex=0, offset=0, fps=200, seed=0).render(size)
    print(f"drawing a person  {(time.process_time() - start) / people:8.3f} s")

    picture = torch.rand(1, 3, size, size)
    places = torch.rand(frames, size, size, 2) * 2 - 1
    pictures = picture.expand(frames, -1, -1, -1)
    plain = frames / seconds(lambda: torch.nn.functional.grid_sample(pictures, places, align_corners=False))
    print(f"plain grid_sample {plain:8.0f} frames/s")
    for name, aus in (("AU6+12", {6: 0.3, 12: 0.3}), ("AU1+2+5+25+26", {1: 0.8, 2: 0.8, 5: 0.5, 25: 0.8, 26: 0.8})):
        clip = Clip(drawn[-1], aus, frames=frames, onset=0, apex=frames // 2, offset=frames - 1, fps=200, seed=1)
        rate = frames / seconds(lambda: clip.render(size))  # noqa: B023
        print(f"{name:17s} {rate:8.0f} frames/s, ratio {rate / plain:.2f} to plain")


if __name__ == "__main__":
    main()
