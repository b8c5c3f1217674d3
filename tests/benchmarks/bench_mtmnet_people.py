"""Accuracy of one image of a micro-expression on people never seen, by the number of people learned from.

E and D_e learn by L_c alone, from random weights, single images of CASME II's five classes, ten a person; accuracy on
those of others (sixty), plain and magnified, and its ratio to chance, .20.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch

from mtmnet.config import SMOKE, Config
from mtmnet.data import ImagePairs
from mtmnet.stages import Disentangling
from mtmnet.train import network, predict
from shared.runs.parallel import Alone
from shared.synthetic import Clip, Person
from shared.synthetic.labels import Habits, generator
from shared.synthetic.write import NOISE, REGISTERED
from shared.tasks import TASKS

CLIPS = 10
CLASSES = TASKS["casme2-5-2019"].classes


def faces(people: int, size: int) -> tuple[np.ndarray, torch.Tensor]:
    """Onset and apex of each clip (N, 2, H, W, 3) uint8, a person after the other, and the classes (N,)."""
    clips = []
    for number in range(people):
        habits, rng = Habits(number), generator("people", number)
        for take in range(CLIPS):
            emotion = CLASSES[take % len(CLASSES)]
            display = habits.show(emotion, habits.choose(emotion, rng), rng)
            clip = Clip(
                Person.draw(number),
                display.aus,
                frames=10,
                onset=0,
                apex=8,
                offset=9,
                fps=30.0,
                sides=display.sides,
                seed=CLIPS * number + take,
                sway=REGISTERED,
                noise=NOISE,
            )
            clips.append(clip.render(size)[[0, 8]])
    return np.stack(clips), torch.arange(people * CLIPS) % CLIPS % len(CLASSES)


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--images", type=int, default=12000, help="how many each training sees")
    p.add_argument("--learned", type=int, nargs="+", default=[8, 40, 200], metavar="PEOPLE")
    p.add_argument("--others", type=int, default=60, metavar="PEOPLE")
    p.add_argument("--size", type=int, default=SMOKE["size"])
    p.add_argument("--small", action="store_true", help="few people, tiny images: to see that it runs")
    args = p.parse_args(arguments)
    torch.set_num_threads(1)
    config = replace(Config(**SMOKE), pretrain="classification", size=args.size)
    if args.small:
        args.images, args.learned, args.others, config = 20, [1, 2], 2, replace(config, size=32, width=8)
    clips, y = faces(args.others + max(args.learned), config.size)
    clips, tested = torch.from_numpy(clips), args.others * CLIPS
    for by in (1.0, SMOKE["magnify"]):
        for people in args.learned:
            rows = tested + torch.arange(people * CLIPS)
            pairs = ImagePairs.of(clips[rows], y[rows], [str(int(row) // CLIPS) for row in rows])
            torch.manual_seed(0)
            net = network(config, len(CLASSES), pairs.subjects, by)()
            game = Disentangling(net, config, Alone(torch.device("cpu")))
            net.train()
            for _ in range(args.images // len(pairs)):
                for batch in torch.randperm(len(pairs)).split(config.batch):
                    game.step(*pairs.pixels(batch))
            others, learned = slice(tested), rows[:tested]
            right = [(predict(net, clips[k]).argmax(1) == y[k]).float().mean() for k in (others, learned)]
            print(
                f"magnified {by:g} times, {people} people: others {right[0]:.3f}, learned {right[1]:.3f}, "
                f"ratio {right[0] * len(CLASSES):.2f} of others to chance",
                flush=True,
            )


if __name__ == "__main__":
    main()
