"""What f^e and f^s tell of identity and expression, with and without L_EID: linear probes on synthetic faces.

Twelve people show three expressions in nine clips each. An EIDNet learns six clips a person; a logistic regression on
its embeddings, averaged over places, learns the same six and is asked for the other three. Chance: identity .08,
expression .33.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtmnet.config import SMOKE, Config
from mtmnet.data import ImagePairs
from mtmnet.stages import Disentangling
from mtmnet.train import network
from shared.runs.parallel import Alone
from shared.synthetic import Clip, Person

CLIPS, LEARNED = 9, 6  # a person's, and those learned from
SHOWN = (((12,), (6, 12), (12, 25)), ((1, 2), (1, 2, 5), (1, 2, 25)), ((4, 7), (4, 9), (4, 10)))
MODES = {
    "L_c alone": {"pretrain": "classification"},
    "L_EID": {},
    "L_EID, no game (lambda_s 0)": {"lambda_s": 0.0},
    "L_EID, 5 steps of D_s": {"steps_D_s": 5},
}


def faces(low: float, high: float, count: int, size: int) -> tuple[ImagePairs, np.ndarray]:
    """ImagePairs at intensities between `low` and `high`, and which of them are learned from."""
    clips, y, people, learned = [], [], [], []
    for number in range(count):
        person = Person.draw(100 + number)
        for take in range(CLIPS):
            rng = np.random.default_rng((number, take))
            aus = {au: rng.uniform(low, high) for au in SHOWN[take % 3][rng.integers(3)]}
            clip = Clip(person, aus, frames=10, onset=0, apex=5, offset=9, fps=20.0, seed=100 * number + take)
            clips.append(torch.from_numpy(clip.render(size))[[0, 4, 5, 6]])
            y.append(take % 3)
            people.append(str(number).zfill(2))
            learned += [take < LEARNED] * 3
    return ImagePairs.of(torch.stack(clips), torch.tensor(y), people), np.array(learned)


def trained(config: Config, pairs: ImagePairs, rows: torch.Tensor, seed: int):
    torch.manual_seed(seed)
    net = network(config, 3, pairs.subjects)()
    game = Disentangling(net, config, Alone(torch.device("cpu")))
    net.train()
    for _ in range(config.macro_epochs):
        for batch in rows[torch.randperm(len(rows))].split(config.batch):
            game.step(*pairs.pixels(batch))
    return net.eval()


@torch.no_grad()
def probes(net, pairs: ImagePairs, learned: np.ndarray) -> dict[str, float]:
    """Accuracy on held-out clips of the four probes; PSNR in dB of reconstructions and of neutral images."""
    x_N, x_E, y, s = pairs.pixels(torch.arange(len(pairs)))
    f = dict(zip("es", (part.mean(dim=(2, 3)).numpy() for part in net.E(x_E)), strict=True))
    found = {}
    for what, target in (("identity", s.numpy()), ("expression", y.numpy())):
        for name, values in f.items():
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
            probe.fit(values[learned], target[learned])
            found[f"{what} on f^{name}"] = probe.score(values[~learned], target[~learned])
    held = torch.from_numpy(~learned)
    made = net(x_N[held], x_E[held]).reconstruction
    for name, image in (("PSNR", made), ("neutral's PSNR", x_N[held])):
        error = (image - x_E[held]).square().flatten(1).mean(dim=1)
        found[name] = (-10 * error.log10()).mean().item()
    return found


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, default=2)
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--intensity", type=float, nargs=2, default=(0.5, 1.0), metavar=("LOW", "HIGH"))
    p.add_argument("--small", action="store_true", help="three people, one epoch: to see that it runs")
    args = p.parse_args(arguments)
    people, size = (3, 32) if args.small else (12, 64)
    torch.set_num_threads(1)
    pairs, learned = faces(*args.intensity, people, size)
    rows = torch.from_numpy(np.flatnonzero(learned))
    base = replace(Config(**SMOKE), size=size, norm="mean_square", batch=32, macro_epochs=args.epochs)
    if args.small:
        args.seeds, base = 1, replace(base, width=8, macro_epochs=1)
    for mode, changes in MODES.items():
        nets = [trained(replace(base, **changes), pairs, rows, seed) for seed in range(args.seeds)]
        runs = [probes(net, pairs, learned) for net in nets]
        cells = (f"{name} " + "|".join(f"{run[name]:.2f}" for run in runs) for name in runs[0])
        times = np.mean([run["identity on f^e"] for run in runs]) * people
        print(f"{mode}: {', '.join(cells)}; identity on f^e ratio {times:.1f} to chance", flush=True)


if __name__ == "__main__":
    main()
