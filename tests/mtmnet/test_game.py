"""Who moves whom: signs of the two games, and where gradients must not go."""

import pytest
import torch
from torch import nn

from mtmnet import Discriminator, EIDNet, MTMNet, adversarial_losses, eid_losses, mtm_losses, oppose
from mtmnet.losses import identity_loss

CLASSES, SUBJECTS, B = 3, 4, 6


def touched(module):
    """Names of the parameters that a gradient has reached, zero or not."""
    return {name for name, p in module.named_parameters() if p.grad is not None}


def names(module, *parts):
    return {name for name, _ in module.named_parameters() if name.startswith(parts)}


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.fixture
def eid():
    torch.manual_seed(0)
    net = EIDNet(CLASSES, SUBJECTS, width=8).double()
    x_N, x_E = torch.rand(2, B, 3, 64, 64, dtype=torch.double)
    return net, x_N, x_E, torch.arange(B) % CLASSES, torch.arange(B) % SUBJECTS


@pytest.fixture
def mtm():
    torch.manual_seed(0)
    net = MTMNet(EIDNet(CLASSES, SUBJECTS, width=8), EIDNet(CLASSES, 9, width=8)).double().train()
    return net, torch.rand(3, B, 3, 64, 64, dtype=torch.double), torch.arange(B) % CLASSES


def descend(parameters, loss, lr):
    """One plain gradient step."""
    parameters = list(parameters)
    with torch.no_grad():
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p -= lr * gradient


def L_s(net, x_N, x_E, s):
    return identity_loss(oppose(net.D_s, net(x_N, x_E).f_E_e), s)


def test_a_step_of_D_s_lowers_L_s(eid):
    net, x_N, x_E, y, s = eid
    before = L_s(net, x_N, x_E, s)
    descend(net.D_s.parameters(), identity_loss(net.D_s(net(x_N, x_E).f_E_e.detach()), s), lr=0.1)
    assert L_s(net, x_N, x_E, s) < before


def test_a_step_of_E_on_its_term_of_eq_5_raises_L_s(eid):
    net, x_N, x_E, y, s = eid
    before = L_s(net, x_N, x_E, s)
    out = net(x_N, x_E)
    loss = eid_losses(out, oppose(net.D_s, out.f_E_e), y, s)["L_s"]
    descend([*net.E.backbone.parameters(), *net.E.branch_e.parameters()], loss, lr=1e-2)
    assert L_s(net, x_N, x_E, s) > before


def test_the_step_of_D_s_reaches_D_s_alone(eid):
    net, x_N, x_E, y, s = eid
    identity_loss(net.D_s(net(x_N, x_E).f_E_e.detach()), s).backward()
    assert touched(net) == names(net, "D_s")


@pytest.mark.parametrize(
    ("term", "reached"),
    [
        ("L_c", ("E.backbone", "E.branch_e", "D_e")),
        ("L_rec", ("E.", "D_r")),
        ("L_sim", ("E.backbone", "E.branch_s")),
        ("L_s", ("E.backbone", "E.branch_e")),
    ],
)
def test_terms_of_eq_5_reach_what_they_should_and_nothing_else(eid, term, reached):
    net, x_N, x_E, y, s = eid
    out = net(x_N, x_E)
    eid_losses(out, oppose(net.D_s, out.f_E_e), y, s)[term].backward()
    assert touched(net) == names(net, *reached)


def test_reversal_gives_E_the_same_gradient_and_D_s_the_opposite_one(eid):
    net, x_N, x_E, y, s = eid
    out = net(x_N, x_E)
    held = oppose(net.D_s, out.f_E_e)
    turned = oppose(net.D_s, out.f_E_e, reversal=True)
    torch.testing.assert_close(turned, held)
    (expected,) = torch.autograd.grad(-0.1 * identity_loss(held, s), out.f_E_e, retain_graph=True)
    loss = eid_losses(out, turned, y, s)["L_s"]
    f, *D_s = torch.autograd.grad(loss, [out.f_E_e, *net.D_s.parameters()], retain_graph=True)
    torch.testing.assert_close(f, expected)
    own = torch.autograd.grad(0.1 * identity_loss(net.D_s(out.f_E_e), s), list(net.D_s.parameters()))
    for gradient, wanted in zip(D_s, own, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_turns_in_the_order_of_the_paper_run_on_one_forward_pass(eid):
    """D_s steps between the forward pass and E's backward pass; E then meets the new D_s."""
    net, x_N, x_E, y, s = eid
    out = net(x_N, x_E)
    descend(net.D_s.parameters(), identity_loss(net.D_s(out.f_E_e.detach()), s), lr=0.1)
    sum(eid_losses(out, oppose(net.D_s, out.f_E_e), y, s).values()).backward()
    assert touched(net) == names(net, "E.", "D_e", "D_r")


def test_a_step_of_D_lowers_L_D_and_reaches_D_alone(mtm):
    net, x, y = mtm
    out = net(*x)
    f_pos, f_anc = out.f_pos, out.f_anc.detach()
    L_D, _ = adversarial_losses(*net.D(f_pos, f_anc))
    L_D.backward(retain_graph=True)
    assert touched(net) == names(net, "D.")
    descend(net.D.parameters(), L_D, lr=0.05)
    assert adversarial_losses(*net.D(f_pos, f_anc))[0] < L_D


def test_a_step_of_MicroNet_on_L_adv_makes_D_take_its_anchors_for_macro(mtm):
    net, x, y = mtm

    def logits():
        out = net(*x)
        return oppose(net.D, out.f_pos, out.f_anc)

    real, fake = logits()
    _, L_adv = adversarial_losses(real, fake)
    encoder = [*net.MicroNet.E.backbone.parameters(), *net.MicroNet.E.branch_e.parameters()]
    descend(encoder, L_adv, lr=1e-2)
    assert adversarial_losses(*logits())[1] < L_adv
    assert torch.sigmoid(logits()[1]).log().mean() > torch.sigmoid(fake).log().mean()


@pytest.mark.parametrize(
    ("term", "reached"),
    [
        ("L_cls", ("MicroNet.E.backbone", "MicroNet.E.branch_e", "MicroNet.D_e")),
        ("L_tri", ("MicroNet.E.backbone", "MicroNet.E.branch_e")),
        ("L_adv", ("MicroNet.E.backbone", "MicroNet.E.branch_e")),
        ("L_LIR", ("MicroNet.E.backbone", "MicroNet.E.branch_e", "MicroNet.D_e")),
    ],
)
def test_terms_of_eq_12_reach_what_they_should_and_nothing_else(mtm, term, reached):
    net, x, y = mtm
    out = net(*x)
    mtm_losses(out, *oppose(net.D, out.f_pos, out.f_anc), y, per="sample")[term].backward()
    assert touched(net) == names(net, *reached)


def test_fine_tuning_leaves_MacroNet_as_it_was_buffers_included(mtm):
    net, x, y = mtm
    before, micro = state(net.MacroNet), state(net.MicroNet)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):
        net.train()
        out = net(*x)
        L_D, _ = adversarial_losses(*net.D(out.f_pos, out.f_anc.detach()))
        loss = sum(mtm_losses(out, *oppose(net.D, out.f_pos, out.f_anc), y).values())
        optimiser.zero_grad()
        (L_D + loss).backward()
        optimiser.step()
    after = state(net.MacroNet)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(m.training for m in net.MacroNet.modules())
    assert any(not torch.equal(net.MicroNet.state_dict()[name], value) for name, value in micro.items())


def test_guidance_does_not_change_with_what_an_unguided_anchor_shows(mtm):
    """In eval mode, where a batch's images do not meet in batch normalisation."""
    net, x, y = mtm
    net.eval()
    guided = torch.arange(B) < 4
    x_anc, x_pos, x_neg = x[0], x[1, guided], x[2, guided]
    other = x_anc.clone()
    other[~guided] = torch.rand_like(other[~guided])
    terms = []
    for anchors in x_anc, other:
        out = net(anchors, x_pos, x_neg, guided)
        terms.append(mtm_losses(out, *oppose(net.D, out.f_pos, out.f_anc), y))
    assert terms[0]["L_cls"] != terms[1]["L_cls"]
    for name in "L_tri", "L_adv", "L_LIR":
        torch.testing.assert_close(terms[0][name], terms[1][name])


def test_turn_by_turn_the_game_draws_shifted_embeddings_onto_the_macro_ones():
    torch.manual_seed(0)
    D, shift = Discriminator(8), nn.Parameter(torch.full((8, 1, 1), 2.0))
    start = shift.detach().norm()
    optimiser_D, optimiser = torch.optim.Adam(D.parameters(), 1e-3), torch.optim.Adam([shift], 2e-2)
    for _ in range(200):
        f_pos, f_anc = torch.randn(32, 8, 1, 1), torch.randn(32, 8, 1, 1) + shift
        optimiser_D.zero_grad()
        adversarial_losses(*D(f_pos, f_anc.detach()))[0].backward()
        optimiser_D.step()
        optimiser.zero_grad()
        adversarial_losses(*oppose(D, f_pos, f_anc))[1].backward()
        optimiser.step()
    assert shift.detach().norm() < 0.6 * start
