"""Mixed precision and compilation are switches of every package, off by default."""

from collections import defaultdict
from contextlib import contextmanager

import pytest
import torch
from tiny import ROWS, trained
from torch import nn
from torch._dynamo.testing import CompileCounter
from toy.model import Net

from shared.runs.compiling import compiled, compiled_once


@contextmanager
def types_of_convolutions():
    """The types of all convolutions' outputs within, in training (True) and in scoring (False)."""
    seen = defaultdict(set)

    def look(module, inputs, output):
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            seen[module.training].add(output.dtype)

    hook = nn.modules.module.register_module_forward_hook(look)
    yield seen
    hook.remove()


@pytest.fixture(scope="module", params=ROWS)
def plain(request, four_people, tmp_path_factory):
    """(package, its output folder, its training without these switches, the types of its convolutions)"""
    out = tmp_path_factory.mktemp("plain")
    with types_of_convolutions() as seen:
        training = trained(request.param, four_people, out)
    return request.param, out, training, seen


def test_bfloat16_in_training_alone(plain, four_people):
    """Layers compute in bfloat16 while training and in float32 when scored; weights stay float32, losses near."""
    package, out, training, seen = plain
    with types_of_convolutions() as seen_mixed:
        mixed = trained(package, four_people, out, "precision=bf16")
    assert seen == {True: {torch.float32}, False: {torch.float32}}
    assert seen_mixed == {True: {torch.bfloat16}, False: {torch.float32}}
    for one in training, mixed:
        assert {v.dtype for v in one.learned.values() if v.is_floating_point()} == {torch.float32}
    loss = training.history[0]["loss"]
    assert loss != mixed.history[0]["loss"] == pytest.approx(loss, rel=0.1)


def test_a_compiled_network_learns_the_same(plain, four_people, monkeypatch):
    """The compiler's graph of the network, without the code generator, which takes minutes."""
    package, out, training, _ = plain
    compiled, compile = [], torch.compile

    def traced(forward, mode):
        compiled.append(type(forward.__self__).__name__)
        return compile(forward, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    other = trained(package, four_people, out, "compile=true")
    assert compiled and list(other.learned) == list(training.learned)
    assert other.history[0]["loss"] == pytest.approx(training.history[0]["loss"], rel=1e-3)


def test_folds_share_one_compiled_network(monkeypatch):
    """Of one description; each starts from its own weights, and outside training nothing is compiled."""
    counter, compile = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda forward, mode: compile(forward, backend=counter))
    x, kept, flags = torch.rand(2, 1, 8, 8), [], [True, False, True]
    for seed, flag in enumerate(flags):
        torch.manual_seed(seed)
        net = Net(5).requires_grad_(flag)
        expected, state = net(x).detach(), {k: v.clone() for k, v in Net(5).state_dict().items()}
        torch.manual_seed(seed)
        kept.append(made := compiled_once(Net(5).requires_grad_(flag), "of the toy"))
        assert all(p.requires_grad == flag and p.grad is None for p in made.parameters())
        assert made.training and torch.equal(made.norm.running_mean, state["norm.running_mean"])
        torch.testing.assert_close(made(x), expected)
        if flag:
            made(x).sum().backward()
        before = counter.frame_count
        made.eval()(x)
        assert counter.frame_count == before
    assert kept[0] is kept[1] is kept[2] and counter.frame_count <= 2  # with gradients and without
    assert compiled_once(Net(6), "another") is not kept[0] and compiled(kept[0]) is kept[0]
