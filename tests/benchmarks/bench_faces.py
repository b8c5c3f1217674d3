"""Frames of generated faces a second at 128x128 on one core, beside a plain grid_sample of as large a picture."""

import time

import torch

from shared.faces import Clip, Person


def seconds(run) -> float:
    """Processor time of one call, the least of five."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    torch.set_num_threads(1)
    start = time.process_time()
    people = [Person.draw(s) for s in range(8)]
    for person in people:
        Clip(person, {}, frames=1, onset=0, apex=0, offset=0, fps=200, seed=0).render(128)
    print(f"drawing a person  {(time.process_time() - start) / len(people):8.3f} s")

    picture, frames = torch.rand(1, 3, 128, 128), 64
    places = torch.rand(frames, 128, 128, 2) * 2 - 1
    pictures = picture.expand(frames, -1, -1, -1)
    plain = frames / seconds(lambda: torch.nn.functional.grid_sample(pictures, places, align_corners=False))
    print(f"plain grid_sample {plain:8.0f} frames/s")
    for name, aus in (("AU6+12", {6: .3, 12: .3}), ("AU1+2+5+25+26", {1: .8, 2: .8, 5: .5, 25: .8, 26: .8})):
        clip = Clip(people[-1], aus, frames=frames, onset=4, apex=30, offset=60, fps=200, seed=1)
        rate = frames / seconds(lambda: clip.render(128))  # noqa: B023
        print(f"{name:17s} {rate:8.0f} frames/s, {rate / plain:.2f} of plain")


if __name__ == "__main__":
    main()
