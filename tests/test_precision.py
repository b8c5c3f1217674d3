"""Mixed precision and compilation are switches of every package, off by default."""

import pytest
import torch
from tiny import ROWS, trained
from torch import nn


@pytest.mark.parametrize("package", ROWS)
def test_bfloat16_in_training_alone(package, faces, tmp_path):
    """Layers compute in bfloat16 while training and in float32 when scored; weights stay float32, losses near."""
    seen = {True: set(), False: set()}

    def look(module, inputs, output):
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            seen[module.training].add(output.dtype)

    losses = {}
    for precision in ("float32", "bf16"):
        hook = nn.modules.module.register_module_forward_hook(look)
        training = trained(package, faces, tmp_path, f"precision={precision}")
        hook.remove()
        losses[precision] = training.history[0]["loss"]
        assert {v.dtype for v in training.learned.values() if v.is_floating_point()} == {torch.float32}
        expected = torch.bfloat16 if precision == "bf16" else torch.float32
        assert seen == {True: {expected}, False: {torch.float32}}
        seen = {True: set(), False: set()}
    assert losses["float32"] != losses["bf16"] == pytest.approx(losses["float32"], rel=0.1)


@pytest.mark.parametrize("package", ROWS)
def test_a_compiled_network_learns_the_same(package, faces, tmp_path, monkeypatch):
    """The compiler's graph of the network, without the code generator, which takes minutes."""
    compiled, compile = [], nn.Module.compile

    def traced(module):
        compiled.append(type(module).__name__)
        compile(module, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", traced)
    plain, other = (trained(package, faces, tmp_path, f"compile={on}") for on in ("false", "true"))
    assert compiled and list(other.learned) == list(plain.learned)
    assert other.history[0]["loss"] == pytest.approx(plain.history[0]["loss"], rel=1e-3)
