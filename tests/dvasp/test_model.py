import pytest
import torch
from torchvision.models import resnet18, resnet34
from torchvision.models.feature_extraction import create_feature_extractor

from dvasp import DualView, SingleView, Teacher
from dvasp.config import Config
from dvasp.losses import student_loss, teacher_loss
from dvasp.model import STATISTICS, freeze, load_imagenet
from dvasp.train import network


def images(B=2, size=64):
    return torch.rand(B, 3, size, size, generator=torch.Generator().manual_seed(0))


def state(net):
    return {key: value.clone() for key, value in net.state_dict().items()}


@pytest.mark.parametrize("depth", [18, 34])
def test_features_are_torchvisions(depth):
    net = SingleView(8, depth=depth).eval()
    reference = {18: resnet18, 34: resnet34}[depth](weights=None)
    load_imagenet(net, reference.state_dict())
    nodes = ["conv1", "layer1", "layer2", "layer3", "layer4", "flatten"]
    x = images(size=224) if depth == 18 else images()
    with torch.no_grad():
        mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
        *expected, f = create_feature_extractor(reference.eval(), nodes)((x - mean) / std).values()
        output = net(x)
        torch.testing.assert_close(output.features[0], expected)
        torch.testing.assert_close(output.views[0].flatten(1), net.FC[0](f))
    if depth == 18:
        assert [A.shape[1:] for A in expected] == [
            (64, 112, 112),
            (64, 56, 56),
            (128, 28, 28),
            (256, 14, 14),
            (512, 7, 7),
        ]


@pytest.mark.parametrize(
    ("changes", "mean", "std"),
    [
        ({}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # ImageNet's
        ({"method": "none"}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ({"method": "fine-tune"}, (0.5355, 0.4249, 0.3801), (0.2832, 0.2578, 0.2548)),  # released code of co-training
        ({"follow": "release"}, None, None),
        ({"follow": "release", "method": "fine-tune"}, None, None),
    ],
)
@pytest.mark.parametrize("views", [1, 2])
def test_a_student_normalises_as_its_start_expects_and_not_at_all_in_the_release(views, changes, mean, std):
    student = network(Config(views=views, width=4, depth=34, **changes), 4)()
    if mean is None:
        assert not list(student.buffers(recurse=False))
    else:
        assert torch.equal(student.mean.flatten(), torch.tensor(mean))
        assert torch.equal(student.std.flatten(), torch.tensor(std))


def test_imagenet_weights_go_into_every_trunk():
    teacher = Teacher()
    load_imagenet(teacher, resnet34(weights=None).state_dict())
    one, two = (trunk.layer4[0].conv1.weight for trunk in teacher.trunks)
    assert torch.equal(one, two)


@pytest.mark.parametrize(("follow", "D"), [("paper", 512), ("release", 513)])
def test_teacher(follow, D):
    teacher = Teacher(follow=follow).eval()
    output = teacher(images())
    assert output.views.shape == (2, 2, 12) and output.W.shape == (2, 12, D)
    assert torch.equal(output.W[1, :, :512], teacher.FC[1].weight)
    torch.testing.assert_close(output.fused, (output.views[0] + output.views[1]) / 2)


def test_student_of_the_paper_fuses_features_and_that_of_the_release_logits():
    paper, release = (DualView(8, follow=follow).eval() for follow in ("paper", "release"))
    with torch.no_grad():
        output = paper(images())
        mean, std = torch.tensor(STATISTICS["imagenet"])[..., None, None]
        f_1, f_2 = (trunk((images() - mean) / std)[0] for trunk in paper.trunks)
        torch.testing.assert_close(output.fused.flatten(1), (f_1 + f_2) @ paper.FC_s.weight.T + paper.FC_s.bias)
        torch.testing.assert_close(output.views[1].flatten(1), f_2 @ paper.FC[1].weight.T + paper.FC[1].bias)
        z = release(images())
        torch.testing.assert_close(z.fused, (z.views[0] + z.views[1]) / 2)
    assert output.W.shape == (2, 8, 1024) and z.W.shape == (2, 16, 513)
    assert torch.equal(output.W[0, 3], paper.FC[0].weight[6:8].flatten())  # AU 3: rows "absent" and "present"


def test_prediction_is_the_probability_of_presence():
    net = SingleView(4).eval()
    torch.nn.init.zeros_(net.FC[0].weight)
    net.FC[0].bias.data = torch.tensor([0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, -1.0])
    expected = torch.tensor([0.0, 2.0, -1.0, -1.0]).sigmoid()
    torch.testing.assert_close(net.predict(images()), expected.expand(2, 4))


@torch.no_grad()
@pytest.mark.parametrize("statistics", ["emotionet", "none"])
def test_images_are_normalised_inside(statistics):
    """As a person who takes the network has nothing else to know of its input."""
    torch.manual_seed(0)
    net = DualView(4, width=4, statistics=statistics).eval()
    same = DualView(4, width=4, statistics="none").eval()
    same.load_state_dict(net.state_dict())
    mean, std = torch.tensor([[0.5355, 0.4249, 0.3801], [0.2832, 0.2578, 0.2548]])[..., None, None]
    x = images() if statistics == "none" else (images() - mean) / std
    torch.testing.assert_close(net(images()).fused, same(x).fused)


def test_arguments_and_images_that_cannot_be_are_refused():
    for options, said in (({"depth": 50}, "depth=50: expected one of 18, 34"), ({"statistics": "mine"}, "'imagenet'")):
        with pytest.raises(ValueError, match=said):
            DualView(4, width=4, **options)
    with pytest.raises(ValueError, match="views=3"):
        Teacher(4, width=4, views=3)
    net = SingleView(4, width=4)
    for x in (images()[0], images()[:, :1], (255 * images()).byte()):
        with pytest.raises(ValueError, match="expected \\(B, 3, H, W\\)"):
            net(x)
    with pytest.raises(ValueError, match="divide bytes by 255"):
        net.predict(255 * images())


@pytest.mark.parametrize(
    ("network", "options"),
    [(DualView, {}), (DualView, {"depth": 34}), (DualView, {"follow": "release"}), (SingleView, {})],
)
def test_training_reaches_every_student_weight_and_leaves_the_frozen_teacher_alone(network, options):
    """Eq. (16) over two steps: the teacher's weights and batch statistics are the same to the bit."""
    student = network(4, **options)
    teacher = freeze(Teacher(follow=student.follow, views=len(student.trunks)))
    before, start = state(teacher), state(student)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9)
    p = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0]])
    for _ in range(2):
        x = images(B=3, size=32)
        with torch.no_grad():
            target = teacher(x)
        optimizer.zero_grad()
        sum(student_loss(student(x), p, target, follow=student.follow).values()).backward()
        optimizer.step()
    after = teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    now = student.state_dict()
    assert not [key for key in start if torch.equal(start[key], now[key])]


def test_the_teacher_learns_in_both_views():
    teacher = Teacher(4)
    p = torch.tensor([[0, 1, 0, 1], [1, float("nan"), 0, 0], [float("nan")] * 4])
    sum(teacher_loss(teacher(images(B=3, size=32)), p, torch.ones_like(p)).values()).backward()
    assert not [name for name, weight in teacher.named_parameters() if weight.grad is None or not weight.grad.any()]


def test_teacher_trunks_fit_a_student_of_the_same_depth():
    """DVFT: the teacher fine-tuned with heads of its own."""
    teacher, student = Teacher(), DualView(8, depth=34)
    student.trunks.load_state_dict(teacher.trunks.state_dict())
    assert torch.equal(student.trunks[1].conv1.weight, teacher.trunks[1].conv1.weight)
