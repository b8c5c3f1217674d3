import pytest
import torch

from shared.runs.gradcam import gradcam, on_face, scaled


def test_example_worked_by_hand():
    """Two maps of 1×2; the class scores 3 a₁ − 2 b₂, so α = (3/2, −2/2): the map is relu(1.5 a − b)."""
    activation = torch.tensor([[[[2.0, 1.0]], [[1.0, 4.0]]]], requires_grad=True)
    score = 3 * activation[:, 0, 0, 0] - 2 * activation[:, 1, 0, 1]
    assert gradcam(activation, score).tolist() == [[[2.0, 0.0]]]


def test_linear_head_on_the_average_gives_its_class_activation_map():
    """For global average pooling and a linear layer Grad-CAM is CAM / HW (Selvaraju et al. 2017, Sec. 3.1)."""
    torch.manual_seed(0)
    activation = torch.randn(3, 5, 4, 2, requires_grad=True)
    head = torch.nn.Linear(5, 7)
    logits = head(activation.mean((2, 3)))
    for classes in ([0, 6, 2], [3, 3, 1]):
        cam = torch.stack(
            [torch.einsum("chw,c->hw", a, head.weight[c]) for a, c in zip(activation, classes, strict=True)]
        )
        heat = gradcam(activation, logits[range(3), classes])
        torch.testing.assert_close(heat, cam.clamp(min=0).detach() / 8)
        assert not heat.requires_grad


def test_maps_end_at_1_each():
    maps = torch.tensor([[[0.0, 2.0], [1.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], [[3.0, 1.0], [0.0, 0.0]]])
    assert scaled(maps).tolist() == [[[0, 0.5], [0.25, 1]], [[0, 0], [0, 0]], [[1, 0.333], [0, 0]]]


@pytest.mark.parametrize(("size", "resize", "before"), [(4, 4, 0), (4, 8, 2), (4, 7, 1)])
def test_a_map_lies_where_the_crop_was(size, resize, before):
    """In the middle; an odd pixel is after it."""
    maps = torch.rand(1, 2, size, size) + 0.1
    whole = on_face(maps, size=size, resize=resize)
    torch.testing.assert_close(whole[..., before : before + size, before : before + size], maps)
    assert whole.shape == (1, 2, resize, resize) and int((whole > 0).sum()) == 2 * size**2
