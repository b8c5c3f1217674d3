"""CapsuleNet (Van Quang et al., "CapsuleNet for micro-expression recognition", FG 2019), as in the authors' code.

Capsules and dynamic routing are those of Sabour et al. (2017). The text of the FG paper was not at hand.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

KERNEL = 9  # of the two convolutions behind the trunk
PRIMARY, CLASS = 8, 16  # numbers in a primary capsule and in a class capsule
RELEASED = (("conv.model.", "trunk."), ("conv1.", "conv."), ("primarycaps.conv2d.", "primary."), ("digitcaps.", ""))


class CapsuleNet(nn.Module):
    """Class capsules of the apex frame; 13,842,496 parameters for three classes.

    forward: RGB frames (B, 3, size, size) in [0, 1], neither mean nor deviation taken away -> lengths (B, classes) of
    the class capsules, each in [0, 1). size: 224 in the released code; width: channels of the trunk's first stage, 64
    there. Raises ValueError for other shapes and, on the CPU, for bytes.
    """

    def __init__(self, classes: int = 3, *, size: int = 224, width: int = 64, routings: int = 3) -> None:
        super().__init__()
        side = -(-size // 8)  # of the trunk's maps
        positions = ((side - KERNEL + 1 - KERNEL) // 2 + 1) ** 2
        if side < 2 * KERNEL - 1 or width % 2 or routings < 1:
            raise ValueError(
                f"CapsuleNet needs a size of {8 * (2 * KERNEL - 2) + 1} or more, an even width and one routing at "
                f"least, not size={size}, width={width}, routings={routings}"
            )
        self.size, self.routings = size, routings
        self.trunk = trunk(width)
        self.conv = nn.Conv2d(4 * width, 4 * width, KERNEL)
        self.primary = nn.Conv2d(4 * width, 4 * width, KERNEL, stride=2)
        capsules = positions * 4 * width // PRIMARY
        self.weight = nn.Parameter(0.01 * torch.randn(classes, capsules, CLASS, PRIMARY))

    def primary_capsules(self, x: Tensor) -> Tensor:
        """(B, 1152, 8): those of a position are neighbours, each of eight neighbouring channels."""
        if x.ndim != 4 or x.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"CapsuleNet takes apex frames (B, 3, {self.size}, {self.size}), not {tuple(x.shape)}")
        if x.numel() and x.is_cpu and not torch.compiler.is_compiling() and not x.detach().abs().amax() < 2:
            raise ValueError("CapsuleNet takes frames in [0, 1]: divide bytes by 255")
        maps = self.primary(self.conv(self.trunk(x)).relu())
        return squash(maps.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, PRIMARY)))

    def capsules(self, x: Tensor) -> Tensor:
        """The class capsules, (B, classes, 16)."""
        return dynamic_routing(self.primary_capsules(x), self.weight, self.routings)

    def forward(self, x: Tensor) -> Tensor:
        """RGB frames (B, 3, size, size) in [0, 1] -> lengths (B, classes) of the class capsules."""
        return self.capsules(x).norm(dim=-1)

    predict = forward  # its scores are lengths, which do not add up to 1

    @torch.no_grad()
    def load_imagenet(self, state_dict: Mapping[str, Tensor]) -> None:
        """Starts the trunk from the state dict of torchvision's ResNet-18. Raises ValueError where that is another."""
        own = {n: v for n, v in self.trunk.state_dict().items() if not n.endswith("num_batches_tracked")}  # new in 2018
        if bad := [n for n, v in own.items() if n not in state_dict or state_dict[n].shape != v.shape]:
            raise ValueError(f"not the weights of a ResNet-18 of this width: {', '.join(bad[:3])} missing or unlike")
        self.trunk.load_state_dict({name: state_dict[name] for name in own})

    @classmethod
    def from_released(cls, state_dict: Mapping[str, Tensor]) -> "CapsuleNet":
        """The network with weights under the released names. Raises ValueError for names and shapes that do not fit."""
        given = {}
        for name, value in state_dict.items():
            name = name.removeprefix("module.")  # of data-parallel training
            start, ours = next(((s, o) for s, o in RELEASED if name.startswith(s)), ("", ""))
            given[ours + name.removeprefix(start)] = value
        if "weight" not in given:
            raise ValueError("digitcaps.weight, which gives the number of classes, is not among CapsuleNet's weights")
        net = cls(len(given["weight"]))
        try:
            net.load_state_dict(given)
        except RuntimeError as error:
            raise ValueError(f"these weights are not those of CapsuleNet: {error}") from error
        return net


def trunk(width: int) -> nn.Sequential:
    """ResNet-18 up to its third stage, without the max-pool: (B, 3, H, W) -> (B, 4 width, H / 8, W / 8).

    State-dict names are torchvision's; its initial weights are drawn alike.
    """

    def stage(C_in: int, C: int, stride: int) -> nn.Sequential:
        shortcut = nn.Sequential(conv1x1(C_in, C, stride), nn.BatchNorm2d(C)) if stride > 1 else None
        return nn.Sequential(BasicBlock(C_in, C, stride, shortcut), BasicBlock(C, C))

    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            layer1=stage(width, width, 1),
            layer2=stage(width, 2 * width, 2),
            layer3=stage(2 * width, 4 * width, 2),
        )
    )
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def squash(s: Tensor) -> Tensor:
    """s ‖s‖² / (1 + ‖s‖²) / (‖s‖ + 1e-8) over the last dimension: the direction stays, the length becomes below 1."""
    norm = s.norm(dim=-1, keepdim=True)
    return s * (norm**2 / (1 + norm**2) / (norm + 1e-8))


def dynamic_routing(capsules: Tensor, weight: Tensor, iterations: int = 3) -> Tensor:
    """Capsules (B, N, 8), weight (K, N, 16, 8) -> class capsules (B, K, 16); the last iteration alone has gradients."""
    if capsules.ndim != 3 or weight.ndim != 4 or capsules.shape[1:] != (weight.shape[1], weight.shape[3]):
        raise ValueError(
            f"weights (K, N, M, n) route capsules (B, N, n); they are {tuple(weight.shape)} and {tuple(capsules.shape)}"
        )
    predictions = torch.einsum("knpq,bnq->bknp", weight, capsules)  # of each class capsule by each primary one
    fixed, logits = predictions.detach(), predictions.new_zeros(predictions.shape[:3])
    for _ in range(iterations - 1):
        v = squash(torch.einsum("bkn,bknp->bkp", logits.softmax(1), fixed))
        logits = logits + torch.einsum("bknp,bkp->bkn", fixed, v)
    return squash(torch.einsum("bkn,bknp->bkp", logits.softmax(1), predictions))


def capsule_loss(lengths: Tensor, y: Tensor) -> Tensor:
    """Lengths l (B, K), labels y (B,) int64; scalar, the mean over the batch of
    Σ_k y_k max(0, .99 − l_k)² + .5 (1 − y_k) max(0, l_k − .01)². Raises ValueError for other shapes."""
    if lengths.ndim != 2 or y.shape != lengths.shape[:1] or y.dtype != torch.int64 or not len(y):
        raise ValueError(
            f"lengths (B, K) and labels (B,) int64 of a sample at least expected, not {tuple(lengths.shape)} and "
            f"{tuple(y.shape)} {y.dtype}"
        )
    present = (0.99 - lengths).relu().square()
    absent = 0.5 * (lengths - 0.01).relu().square()
    labelled = F.one_hot(y, lengths.shape[1]).bool()
    return torch.where(labelled, present, absent).sum(1).mean()
