"""A training step of SKD-TSTSAN whose losses are read once an epoch, against one that reads them in every step.

Reads are those for which a GPU would be waited for; operations are those that torch dispatches, each a launch or more.
The straightforward step checks its loss, reads its terms, and steps Adam parameter by parameter. Both start from the
same weights and must have the same mean losses over two steps, after which rounding has grown.
"""

import argparse
import statistics
import time
from types import SimpleNamespace

import torch
from toy.reads import elsewhere

from shared.protocols import Fold
from shared.runs.fold import FoldTraining
from shared.tasks import TASKS
from skd_tstsan import SKD_TSTSAN, skd_loss


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--small", action="store_true", help="two steps of a small network: to see that it runs")
    args = p.parse_args(arguments)
    steps, batch, width = (2, 2, 8) if args.small else (args.steps, args.batch, 64)
    torch.manual_seed(0)
    x, y = torch.rand(batch, 38, 48, 48), torch.randint(0, 5, (batch,))
    rows, fold = torch.arange(batch), Fold("", (), (), ())
    training = FoldTraining("", SimpleNamespace(), TASKS["casme2-5"], fold, None, None, 0, torch.device("cpu"))
    sums: dict[str, float] = {}

    def read(terms: dict[str, torch.Tensor]) -> None:
        assert torch.isfinite(sum(terms.values()))
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item() * batch

    arms = {}
    for name, fused, note in (("read in each step", False, read), ("here", True, lambda t: training.note(rows, **t))):
        torch.manual_seed(1)
        net = SKD_TSTSAN(width=width, dropout=0.0).train()
        adam = torch.optim.Adam(net.parameters(), 1e-3, fused=fused)

        def step(net=net, adam=adam, note=note) -> None:
            terms = skd_loss(*net(x), y)
            adam.zero_grad()
            sum(terms.values()).backward()
            adam.step()
            note(terms)

        arms[name] = step
    reads, operations, times = {}, {}, {name: [] for name in arms}
    with elsewhere() as counted:
        for name, step in arms.items():
            step()  # which makes Adam's state
            before = counted.operations, counted.lines.total()
            step()
            operations[name], reads[name] = counted.operations - before[0], counted.lines.total() - before[1]
    means = training.means(0)
    assert all(abs(sums[k] / 2 / batch - v) < 1e-4 * abs(v) for k, v in means.items()), (sums, means)
    for _ in range(steps):
        for name, step in arms.items():
            clock = time.process_time()
            step()
            times[name].append(time.process_time() - clock)
    for what, found in (("reads", reads), ("operations", operations)):
        plain, here = found.values()
        print(f"{what} a step: {plain} read in each step, {here} here; ratio {here / plain:.3f}")
    plain, here = (statistics.median(each) for each in times.values())
    print(f"processor time a step: {1e3 * plain:.1f} ms and {1e3 * here:.1f} ms; ratio {here / plain:.3f}")


if __name__ == "__main__":
    main()
