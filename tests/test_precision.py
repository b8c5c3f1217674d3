"""Mixed precision and compilation are switches of every package, off by default."""

import pytest
import torch
from tiny import ROWS, trained
from torch import nn
from torch._dynamo.testing import CompileCounter
from toy.model import Net

from shared.runs.compiling import compiled, compiled_once


@pytest.mark.parametrize("package", ROWS)
def test_bfloat16_in_training_alone(package, faces, tmp_path):
    """Layers compute in bfloat16 while training and in float32 when scored; weights stay float32, losses near."""
    seen = {True: set(), False: set()}

    def look(module, inputs, output):
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            seen[module.training].add(output.dtype)

    losses = {}
    for precision in ("default", "bf16"):
        hook = nn.modules.module.register_module_forward_hook(look)
        training = trained(package, faces, tmp_path, f"precision={precision}")
        hook.remove()
        losses[precision] = training.history[0]["loss"]
        assert {v.dtype for v in training.learned.values() if v.is_floating_point()} == {torch.float32}
        expected = torch.bfloat16 if precision == "bf16" else torch.float32
        assert seen == {True: {expected}, False: {torch.float32}}
        seen = {True: set(), False: set()}
    assert losses["default"] != losses["bf16"] == pytest.approx(losses["default"], rel=0.1)


@pytest.mark.parametrize("package", ROWS)
def test_a_compiled_network_learns_the_same(package, faces, tmp_path, monkeypatch):
    """The compiler's graph of the network, without the code generator, which takes minutes."""
    compiled, compile = [], torch.compile

    def traced(forward, mode):
        compiled.append(type(forward.__self__).__name__)
        return compile(forward, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    plain, other = (trained(package, faces, tmp_path, f"compile={on}") for on in ("false", "true"))
    assert compiled and list(other.learned) == list(plain.learned)
    assert other.history[0]["loss"] == pytest.approx(plain.history[0]["loss"], rel=1e-3)


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
