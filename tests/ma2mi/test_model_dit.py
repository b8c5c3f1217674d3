import math

import pytest
import torch
from oracles import golden, recipe, released_weights, worst

from ma2mi.dit import DiT


def small(**changes):
    """A DiT whose zero-initialised layers are drawn too, in float64."""
    torch.manual_seed(0)
    net = DiT(**{"size": 4, "patch": 2, "channels": 3, "dim": 8, "depth": 2, "heads": 2, "condition": 6} | changes)
    for p in net.parameters():
        if p.requires_grad:
            torch.nn.init.normal_(p, std=0.3)
    return net.double()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_published_blocks_numbers(dtype, tolerance):
    """DiT's own code, in float64, with its timestep and class replaced by the condition; see tests/oracles."""
    arrays = golden("dit_blocks")
    dim, depth, heads, patch = (int(arrays[name]) for name in ("dim", "depth", "heads", "patch"))
    net = DiT(8, patch=patch, dim=dim, depth=depth, heads=heads, condition=dim)
    wanted = net.load_state_dict(released_weights(arrays), strict=False)
    assert wanted == (["pos_embed"], [])
    assert worst(net.pos_embed[0], arrays["pos_embed"]) < 1e-6
    net.to(dtype).pos_embed.data.copy_(torch.from_numpy(arrays["pos_embed"]))
    seed = int(arrays["seed"])
    Z, c = (torch.from_numpy(recipe.normal(seed, j, s)).to(dtype) for j, s in enumerate([(2, 4, 8, 8), (2, dim)]))
    first = []
    net.blocks[0].register_forward_hook(lambda module, given, out: first.append(out))
    assert worst(net(Z, c), arrays["output"]) < tolerance
    assert worst(first[0], arrays["after_first_block"]) < tolerance


def linear(w, name, x):
    return w[name + ".weight"] @ x + w[name + ".bias"]


def adapted_norm(x, shift, scale):
    centred = x - x.mean()
    return centred / math.sqrt(float(centred.square().mean()) + 1e-6) * (1 + scale) + shift


def block_written_out(w, name, tokens, c):
    """An adaLN-Zero block on a list of token vectors: two heads, token by token."""
    shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = linear(
        w, f"{name}.adaLN_modulation.1", c / (1 + torch.exp(-c))
    ).chunk(6)
    qkv = [linear(w, f"{name}.attn.qkv", adapted_norm(x, shift_a, scale_a)) for x in tokens]
    out = []
    for i, x in enumerate(tokens):
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            weights = [math.exp(float(qkv[i][:8][h] @ k[8:16][h]) / 2) for k in qkv]  # 2 is the root of the head's size
            heads.append(sum(a * v[16:][h] for a, v in zip(weights, qkv, strict=True)) / sum(weights))
        x = x + gate_a * linear(w, f"{name}.attn.proj", torch.cat(heads))
        hidden = linear(w, f"{name}.mlp.fc1", adapted_norm(x, shift_m, scale_m))
        hidden = hidden / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
        out.append(x + gate_m * linear(w, f"{name}.mlp.fc2", hidden))
    return out


def test_whole_network_written_out():
    net = small()
    w = {k: v.detach() for k, v in net.state_dict().items()}
    Z, c = torch.randn(3, 4, 4, dtype=torch.double), torch.randn(6, dtype=torch.double)
    patches = [Z[:, y : y + 2, x : x + 2] for y in (0, 2) for x in (0, 2)]
    kernel = w["x_embedder.proj.weight"]
    tokens = [
        (kernel * p).sum((1, 2, 3)) + w["x_embedder.proj.bias"] + w["pos_embed"][0, i] for i, p in enumerate(patches)
    ]
    for name in ("blocks.0", "blocks.1"):
        tokens = block_written_out(w, name, tokens, c)
    shift, scale = linear(w, "final_layer.adaLN_modulation.1", c / (1 + torch.exp(-c))).chunk(2)
    expected = torch.zeros_like(Z)
    for i, x in enumerate(tokens):
        values = linear(w, "final_layer.linear", adapted_norm(x, shift, scale)).tolist()
        for p in range(2):
            for q in range(2):
                for channel in range(3):
                    expected[channel, i // 2 * 2 + p, i % 2 * 2 + q] = values[p * 6 + q * 3 + channel]
    torch.testing.assert_close(net(Z[None], c[None])[0], expected)


def test_positions_are_sines_of_column_and_row():
    positions = DiT(6, patch=2, dim=8, depth=0, heads=2).pos_embed
    assert positions.shape == (1, 9, 8) and not positions.requires_grad
    for n in range(9):
        expected = []
        for place in (n % 3, n // 3):
            angles = [place / 10000 ** (i / 2) for i in range(2)]
            expected += [*map(math.sin, angles), *map(math.cos, angles)]
        assert positions[0, n].tolist() == pytest.approx(expected, abs=1e-6)


def test_output_is_exactly_zero_before_training_and_learns():
    torch.manual_seed(0)
    net = DiT(8, dim=16, depth=2, heads=2, condition=5)
    Z_hat = net(torch.randn(2, 4, 8, 8), torch.randn(2, 5))
    assert (Z_hat == 0).all()
    (Z_hat - 1).square().mean().backward()
    assert net.final_layer.linear.weight.grad.abs().sum() > 0


def test_condition_of_a_sample_moves_that_sample_alone():
    net = small()
    Z, c = torch.randn(2, 3, 4, 4, dtype=torch.double), torch.randn(2, 6, dtype=torch.double)
    changed = c.clone()
    changed[0] += 1
    before, after = net(Z, c), net(Z, changed)
    assert (before[0] - after[0]).abs().max() > 1e-3
    torch.testing.assert_close(before[1], after[1])


def test_gradients_reach_every_weight():
    net = small()
    net(torch.randn(2, 3, 4, 4, dtype=torch.double), torch.randn(2, 6, dtype=torch.double)).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.requires_grad and not p.grad.abs().sum() > 0] == []


def test_paper_size_has_the_names_and_shapes_of_the_published_dit():
    with torch.device("meta"):
        net = DiT()
        assert net(torch.empty(2, 4, 32, 32), torch.empty(2, 768)).shape == (2, 4, 32, 32)
        assert DiT(256, patch=16, channels=3)(torch.empty(2, 3, 256, 256), torch.empty(2, 768)).shape == (
            2,
            3,
            256,
            256,
        )
    shapes = {name: tuple(p.shape) for name, p in net.state_dict().items()}
    block = {
        "attn.qkv.weight": (2304, 768),
        "attn.qkv.bias": (2304,),
        "attn.proj.weight": (768, 768),
        "attn.proj.bias": (768,),
        "mlp.fc1.weight": (3072, 768),
        "mlp.fc1.bias": (3072,),
        "mlp.fc2.weight": (768, 3072),
        "mlp.fc2.bias": (768,),
        "adaLN_modulation.1.weight": (4608, 768),
        "adaLN_modulation.1.bias": (4608,),
    }
    assert shapes == {f"blocks.{n}.{name}": shape for n in range(12) for name, shape in block.items()} | {
        "x_embedder.proj.weight": (768, 4, 2, 2),
        "x_embedder.proj.bias": (768,),
        "pos_embed": (1, 256, 768),
        "final_layer.linear.weight": (16, 768),
        "final_layer.linear.bias": (16,),
        "final_layer.adaLN_modulation.1.weight": (1536, 768),
        "final_layer.adaLN_modulation.1.bias": (1536,),
    }
    assert sum(p.numel() for p in net.parameters()) == 128_943_376


def test_sizes_that_do_not_divide_are_named():
    with pytest.raises(ValueError, match="size 33 must be a multiple of patch 2"):
        DiT(33)


@pytest.mark.parametrize(
    "Z, C", [((2, 4, 4, 16), (2, 5)), ((2, 4, 9, 9), (2, 5)), ((2, 4, 8, 8), (1, 5)), ((2, 3, 8, 8), (2, 5))]
)
def test_shapes_that_would_pass_silently_are_refused(Z, C):
    """As many tokens in another order, a border cut off, one condition for all."""
    with pytest.raises(ValueError, match=r"expected Z_t \(B, 4, 8, 8\) and C_delta \(B, 5\), not"):
        DiT(8, dim=16, depth=1, heads=2, condition=5)(torch.ones(Z), torch.ones(C))
