"""How much of the gradient on E comes from each term of L_EID and L_MTM: Eq. (1), (2) and (6) as printed and otherwise.

A few steps from random weights on synthetic faces, at paper scale unless options say otherwise. Printed: the norm of
each weighted term's gradient beside that of L_c or L_cls, on the backbone, of L_MTM on the expression branch as well.
"""

import argparse
from dataclasses import replace

import torch
from torch import Tensor

from mtmnet.config import Config
from mtmnet.data import ImagePairs
from mtmnet.losses import eid_losses, mtm_losses
from mtmnet.model import oppose
from mtmnet.stages import Disentangling, Guidance, gradient_norms
from mtmnet.train import network
from shared.runs.parallel import Alone
from shared.synthetic import Clip, Person

SHOWN = ({12: 1.0}, {1: 1.0, 2: 1.0, 26: 0.6}, {4: 1.0, 9: 1.0})  # happiness, surprise, disgust
SUBTLE = 0.2  # of a micro-expression's intensity


def faces(people: int, size: int, strength: float, first: int) -> ImagePairs:
    """A neutral and an expression image of each class of each person, numbered from `first`."""
    clips = []
    for number in range(first, first + people):
        for y, aus in enumerate(SHOWN):
            aus = {au: strength * value for au, value in aus.items()}
            clip = Clip(Person.draw(number), aus, frames=3, onset=0, apex=1, offset=2, fps=30.0, seed=3 * number + y)
            clips.append(torch.from_numpy(clip.render(size))[:2])
    y = torch.arange(len(clips)) % len(SHOWN)
    return ImagePairs.of(torch.stack(clips), y, [str(i // len(SHOWN)) for i in range(len(clips))])


def printed(title: str, steps: list[dict[str, Tensor]]) -> None:
    first, *others = steps[0]
    ratios = {name: [norms[name] / norms[first] for norms in steps] for name in others}
    terms = ", ".join(f"{name} ratio {min(v):.3g} to {max(v):.3g}" for name, v in ratios.items())
    print(f"{title}: to {first}: {terms}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--size", type=int, default=224)
    p.add_argument("--width", type=int, default=64)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--people", type=int, default=8, help="in each of the two corpora")
    p.add_argument("--macro-steps", type=int, default=10, help="of MacroNet, before it is frozen")
    p.add_argument("--steps", type=int, default=3, help="of MicroNet in each stage")
    p.add_argument("--small", action="store_true", help="a step of small networks: to see that it runs")
    args = p.parse_args(arguments)
    if args.small:
        args.size, args.width, args.batch, args.people, args.macro_steps, args.steps = 32, 8, 6, 2, 1, 1
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = replace(Config(start="random"), size=args.size, width=args.width, batch=args.batch)
    micro, macro = (faces(args.people, args.size, *which) for which in ((SUBTLE, 0), (1.0, args.people)))
    MicroNet, MacroNet = (network(config, len(SHOWN), args.people)().train() for _ in range(2))

    def batches(steps):
        return [torch.randperm(len(micro))[: args.batch] for _ in range(steps)]

    game = Disentangling(MacroNet, config, Alone(torch.device("cpu")))
    for rows in batches(args.macro_steps):
        game.step(*macro.pixels(rows))
    game = Disentangling(MicroNet, config, Alone(torch.device("cpu")))
    found = {norm: [] for norm in ("mean_square", "euclidean")}
    for rows in batches(args.steps):
        x_N, x_E, y, s = micro.pixels(rows)
        out = MicroNet(x_N, x_E)
        for norm, steps in found.items():
            terms = eid_losses(out, oppose(MicroNet.D_s, out.f_E_e), y, s, norm=norm)
            steps.append(gradient_norms(terms, list(MicroNet.E.backbone.parameters())))
        game.step(x_N, x_E, y, s)
    for norm, steps in found.items():
        printed(f"L_EID, Eq. (1) and (2) by {norm}", steps)

    guidance = Guidance(MicroNet, micro, config, (MacroNet, macro))
    net, found = guidance.guided.train(), {False: [], True: []}
    E = [*MicroNet.E.backbone.parameters(), *MicroNet.E.branch_e.parameters()]
    for rows in batches(args.steps):
        y = micro.y[rows]
        pos, neg, guided = guidance.company(y, torch.rand(2, len(rows)))
        x_anc, x_pos, x_neg = micro.pixels(rows)[1], macro.pixels(pos)[1], micro.pixels(neg)[1]
        out = net(x_anc, x_pos, x_neg, guided)
        for normalise, steps in found.items():
            terms = mtm_losses(out, *oppose(net.D, out.f_pos, out.f_anc), y, normalise=normalise)
            steps.append(gradient_norms(terms, E))
        guidance.step(rows)
    for normalise, steps in found.items():
        printed(f"L_MTM, Eq. (6) {'normalised' if normalise else 'as printed'}", steps)


if __name__ == "__main__":
    main()
