import math

import pytest
import torch

from sca_au.losses import au_loss, total_loss


def test_losses_follow_the_equations():
    torch.manual_seed(0)
    logits, y = torch.randn(4, 3, dtype=torch.float64), torch.randint(0, 2, (4, 3))
    total = 0.0
    for b in range(4):
        for i in range(3):
            p, t = 1 / (1 + math.exp(-logits[b, i])), y[b, i].item()
            expected = -(t * math.log(p) + (1 - t) * math.log(1 - p))
            assert math.isclose(au_loss(logits, y)[b, i], expected, rel_tol=1e-12)
            total += expected
    assert math.isclose(total_loss(logits, y), total / 4, rel_tol=1e-12)


def test_certain_and_wrong_is_large_not_infinite():
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    loss = total_loss(logits, torch.tensor([[0, 1]]))
    loss.backward()
    assert loss.item() == 1000.0
    assert torch.equal(logits.grad, torch.tensor([[1.0, -1.0]]))


@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0, 3), r"one shape \(B, M\), got \(0, 3\)"),
        (torch.zeros(2, 3), torch.zeros(2, 1), "one shape"),
        (torch.zeros(2, 3, 2), torch.zeros(2, 3, 2), "one shape"),
        (torch.zeros(2, 3), -torch.ones(2, 3), "y of 0 and 1, got -1 to -1"),
        (torch.zeros(1, 2), torch.tensor([[0, 2]]), "y of 0 and 1, got 0 to 2"),
    ],
)
def test_mistakes_are_said(logits, y, message):
    for loss in (au_loss, total_loss):
        with pytest.raises(ValueError, match=message):
            loss(logits, y)
