"""What one image of a micro-expression tells of people never seen, and how that grows with the people learnt from.

E and D_e learn by L_c alone, from random weights, single images of CASME II's five classes, ten a person; accuracy on
those of sixty others, plain and magnified. Chance: .20.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch

from mtmnet.data import Pairs, magnified
from mtmnet.experiments import SMOKE, Config
from mtmnet.train import Disentangling, eidnet, predict
from shared.faces import Clip, Person
from shared.faces.labels import Habits, generator
from shared.faces.write import NOISE, REGISTERED
from shared.parallel import Alone
from shared.tasks import TASKS

LEARNT, OTHERS, CLIPS = (8, 40, 200), 60, 10
CLASSES = TASKS["casme2-5"].classes


def faces(people: int, size: int) -> tuple[np.ndarray, torch.Tensor]:
    """Onset and apex of each clip (N, 2, H, W, 3) uint8, a person after the other, and the classes (N,)."""
    clips = []
    for number in range(people):
        habits, rng = Habits(number), generator("people", number)
        for take in range(CLIPS):
            emotion = CLASSES[take % len(CLASSES)]
            display = habits.show(emotion, habits.choose(emotion, rng), rng)
            clip = Clip(
                Person.draw(number), display.aus, frames=10, onset=0, apex=8, offset=9, fps=30.0, sides=display.sides,
                seed=CLIPS * number + take, sway=REGISTERED, noise=NOISE,
            )  # fmt: skip
            clips.append(clip.render(size)[[0, 8]])
    return np.stack(clips), torch.arange(people * CLIPS) % CLIPS % len(CLASSES)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--images", type=int, default=12000, help="how many each training sees")
    args = p.parse_args()
    torch.set_num_threads(1)
    config = replace(Config(**SMOKE), pretrain="classification")
    clips, y = faces(OTHERS + max(LEARNT), config.image)
    for by in (1.0, SMOKE["magnify"]):
        shown = torch.from_numpy(np.stack([magnified(clip, by) for clip in clips]))
        for people in LEARNT:
            rows = OTHERS * CLIPS + torch.arange(people * CLIPS)
            pairs = Pairs.of(shown[rows], y[rows], [str(int(row) // CLIPS) for row in rows])
            torch.manual_seed(0)
            net = eidnet(config, len(CLASSES), pairs.subjects, None)
            game = Disentangling(net, config, Alone(torch.device("cpu")))
            net.train()
            for _ in range(args.images // len(pairs)):
                for batch in torch.randperm(len(pairs)).split(config.batch):
                    game.step(*pairs.pixels(batch))
            others, learnt = slice(OTHERS * CLIPS), rows[: OTHERS * CLIPS]
            right = [(predict(net, shown[k, 1:]).argmax(1) == y[k]).float().mean() for k in (others, learnt)]
            print(f"magnified {by:g} times, {people} people: others {right[0]:.3f}, learnt {right[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
