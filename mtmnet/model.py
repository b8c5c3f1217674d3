"""EIDNet (Sec. 3.1), and MTMNet (Sec. 3.2): a MicroNet that a frozen MacroNet guides, both of them EIDNets."""

from itertools import pairwise
from typing import NamedTuple, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.models.resnet import BasicBlock, conv1x1

STRIDE = 32  # of ResNet-18's last feature map
ROUNDING = 1e-3  # that an image may lie outside [0, 1]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the images behind torchvision's weights


class ResNet18(nn.Module):
    """ResNet-18 to its last map, (B, 3, H, W) -> (B, 8 width, H/32, W/32); torchvision's state dict fits width 64."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, stride=1)
        self.layer2 = stage(width, 2 * width, stride=2)
        self.layer3 = stage(2 * width, 4 * width, stride=2)
        self.layer4 = stage(4 * width, 8 * width, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # torchvision's own start, for a width without ImageNet weights
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 8 width, H/32, W/32)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def stage(C_in: int, C: int, *, stride: int) -> nn.Sequential:
    """Two basic blocks; the first changes stride and width (He et al. 2016)."""
    shortcut = nn.Sequential(conv1x1(C_in, C, stride), nn.BatchNorm2d(C)) if stride > 1 else None
    return nn.Sequential(BasicBlock(C_in, C, stride, shortcut), BasicBlock(C, C))


def conv_block(C_in: int, C: int, activation: nn.Module) -> nn.Sequential:
    """3×3 convolution, batch normalisation, activation; the map keeps its size."""
    return nn.Sequential(nn.Conv2d(C_in, C, 3, padding=1, bias=False), nn.BatchNorm2d(C), activation)


def check_images(x: Tensor) -> None:
    """Raises ValueError unless x is an image (B, 3, H, W) in [0, 1]: other values would be normalised to nonsense.

    Values are checked on the CPU alone, since a check would wait for a GPU, and not in a compiled graph.
    """
    if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
        raise ValueError(f"images of shape {tuple(x.shape)}, {x.dtype}: expected floats (B, 3, H, W) in [0, 1]")
    if x.numel() and x.is_cpu and not torch.compiler.is_compiling():
        low, high = (value.item() for value in x.detach().aminmax())
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise ValueError(f"images between {low:g} and {high:g}: expected [0, 1]; divide bytes by 255")


class Encoder(nn.Module):
    """E: an image (B, 3, H, W) in [0, 1] -> expression and identity maps f^e, f^s (B, 4 width, H/32, W/32), Sec. 3.1.1.

    Raises ValueError for other images, and where a side is no multiple of 32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, width: int = 64, size: int | None = None) -> None:
        super().__init__()
        self.size = size  # the side of the images that it learned from: others are refused
        self.channels = 4 * width
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.backbone = ResNet18(width)
        self.branch_e = conv_block(8 * width, self.channels, nn.ReLU())  # the embeddings' form is not in the paper
        self.branch_s = conv_block(8 * width, self.channels, nn.ReLU())

    def load_imagenet(self, state: dict[str, Tensor]) -> None:
        """Take torchvision's resnet18 weights for the backbone; RuntimeError names whatever does not fit."""
        self.backbone.load_state_dict({name: p for name, p in state.items() if not name.startswith("fc.")})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) in [0, 1] -> f^e, f^s (B, 4 width, H/32, W/32)."""
        check_images(x)
        H, W = x.shape[2:]
        if H % STRIDE or W % STRIDE:
            raise ValueError(f"image of {H}×{W}: both sides must be multiples of {STRIDE}")
        if self.size and (self.size, self.size) != (H, W):
            raise ValueError(f"image of {H}×{W}: this network learned from {self.size}×{self.size}")
        features = self.backbone((x - self.mean) / self.std)  # B, 8 width, H/32, W/32
        return self.branch_e(features), self.branch_s(features)


class Decoder(nn.Sequential):
    """D_r: maps [f_E^e, f_N^s] (B, C, h, w) -> image (B, 3, 32 h, 32 w) in [0, 1], doubling the size, Sec. 3.1.2."""

    def __init__(self, channels: int = 512) -> None:
        doublings = STRIDE.bit_length() - 1
        widths = [max(channels >> i, 16) for i in range(doublings + 1)]  # 512 to 16 at the width of the paper
        blocks = [
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv_block(C_in, C, nn.ReLU()))
            for C_in, C in pairwise(widths)
        ]
        super().__init__(*blocks, nn.Conv2d(widths[-1], 3, 3, padding=1), nn.Sigmoid())


class Classifier(nn.Sequential):
    """D_e, D_s: an expression map (B, C, h, w) -> logits (B, classes), Sec. 3.1.3 and 3.1.4."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def check_alike(**tensors: Tensor) -> None:
    """Raises ValueError where tensors that belong together differ in shape."""
    first, *others = tensors.values()
    if any(x.shape != first.shape for x in others):
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in tensors.items())
        raise ValueError(f"{shapes}: expected the same shape")


class EIDOutput(NamedTuple):
    """The tensors of Eq. (1)-(5), except D_s's logits for f_E_e."""

    x_E: Tensor  # B, 3, H, W: as E was shown it
    f_E_e: Tensor  # B, C, h, w
    f_E_s: Tensor  # B, C, h, w
    f_N_s: Tensor  # B, C, h, w
    reconstruction: Tensor  # B, 3, H, W: D_r([f_E^e, f_N^s])
    expression: Tensor  # B, classes: logits D_e(f_E^e)


class EIDNet(nn.Module):
    """Expression-Identity Disentangle Network, Sec. 3.1: neutral and expression images x_N, x_E (B, 3, H, W) in [0, 1].

    `forward` leaves D_s out: it plays against E in turns (see `oppose`). Not in the paper: `magnify`, the factor by
    which the difference of x_E from x_N is multiplied before E (see `shown`). With `size`, images of another side are
    refused.
    """

    def __init__(
        self, classes: int, subjects: int, *, width: int = 64, magnify: float = 1.0, size: int | None = None
    ) -> None:
        super().__init__()
        if not magnify > 0:
            raise ValueError(f"magnify={magnify}: expected a positive factor; 1 shows images as they are")
        self.classes, self.subjects, self.magnify = classes, subjects, magnify
        self.E = Encoder(width=width, size=size)
        self.D_r = Decoder(2 * self.E.channels)
        self.D_s = Classifier(self.E.channels, subjects)
        self.D_e = Classifier(self.E.channels, classes)

    def forward(self, x_N: Tensor, x_E: Tensor) -> EIDOutput:
        """Neutral and expression images x_N, x_E (B, 3, H, W) in [0, 1] -> the tensors of EIDOutput."""
        check_alike(x_N=x_N, x_E=x_E)
        x_E = self.shown(x_E, x_N)
        # One batch: normalising the two kinds of images apart would take away what tells them apart.
        f_e, f_s = self.E(torch.cat([x_N, x_E]))
        B = x_N.shape[0]  # len would fix it in an exported graph
        f_E_e, f_N_s, f_E_s = f_e[B:], f_s[:B], f_s[B:]
        # Eq. (2); the sentence before it names the other pair.
        reconstruction = self.D_r(torch.cat([f_E_e, f_N_s], dim=1))
        return EIDOutput(x_E, f_E_e, f_E_s, f_N_s, reconstruction, self.D_e(f_E_e))

    def classify(self, x_E: Tensor, x_N: Tensor | None = None) -> Tensor:
        """Expression logits (B, classes) of images (B, 3, H, W): all that a test needs, and training without L_EID.

        Raises ValueError where the network magnifies and the neutral images x_N are missing.
        """
        f_e, _ = self.E(self.shown(x_E, x_N))
        return self.D_e(f_e)

    def predict(self, x_N: Tensor, x_E: Tensor) -> Tensor:
        """Class probabilities (B, classes) of neutral and expression images x_N, x_E (B, 3, H, W) in [0, 1].

        Those of the frames around a clip's apex are averaged in a test.
        """
        return self.classify(x_E, x_N).softmax(1)

    def shown(self, x_E: Tensor, x_N: Tensor | None) -> Tensor:
        """The image that E sees for x_E (B, 3, H, W): x_N + magnify (x_E − x_N), clipped to [0, 1]."""
        if self.magnify == 1:
            return x_E
        if x_N is None:
            raise ValueError(f"this network magnifies the motion from x_N {self.magnify:g} times: give x_N, too")
        check_alike(x_N=x_N, x_E=x_E)
        for x in x_N, x_E:  # before what lies outside [0, 1] is cut off
            check_images(x)
        return (x_N + self.magnify * (x_E - x_N)).clamp(0, 1)


class Discriminator(nn.Module):
    """D: maps f_pos, f_anc (B, C, h, w) -> logits (B,), (B,), high where D takes them for MacroNet's, Sec. 3.2.1.

    Both kinds pass as one batch, in D's step and in MicroNet's: apart, batch normalisation would hide from D how their
    means and scales differ.
    """

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        widths = [channels, channels, channels // 2, channels // 4]  # not in the paper: how many layers, how wide
        self.convs = nn.Sequential(*(conv_block(C_in, C, nn.LeakyReLU(0.2)) for C_in, C in pairwise(widths)))
        self.logit = Classifier(widths[-1], 1)

    def forward(self, f_pos: Tensor, f_anc: Tensor) -> tuple[Tensor, Tensor]:
        """Maps f_pos, f_anc (B, C, h, w) -> a logit for each, (B,) and (B,)."""
        logits = self.logit(self.convs(torch.cat([f_pos, f_anc]))).squeeze(1)  # 2B
        B = f_pos.shape[0]  # len would fix it in an exported graph
        return logits[:B], logits[B:]


@overload
def oppose(D: Classifier, *features: Tensor, reversal: bool = False) -> Tensor: ...
@overload
def oppose(D: Discriminator, *features: Tensor, reversal: bool = False) -> tuple[Tensor, Tensor]: ...
def oppose(D: nn.Module, *features: Tensor, reversal: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """`D(*features)` for the opponent's move: gradients reach the features, and not D's parameters.

    With `reversal` they reach D's parameters with the sign turned, so that one backward pass serves both players.
    """
    held = {name: 2 * p.detach() - p if reversal else p.detach() for name, p in D.named_parameters()}
    logits: Tensor | tuple[Tensor, Tensor] = functional_call(D, held, features)
    return logits


def marked(x: Tensor, guided: Tensor) -> Tensor:
    """The rows of x (B, …) that a mask (B,) marks. A mask on the CPU makes no GPU wait."""
    return x[guided.nonzero().squeeze(1).to(x.device, non_blocking=True)]


class MTMOutput(NamedTuple):
    """The tensors of Eq. (6)-(12), except D's logits; G of the B anchors are guided."""

    f_anc: Tensor  # G, C, h, w: MicroNet on the guided anchors
    f_pos: Tensor  # G, C, h, w: MacroNet, without gradient
    f_neg: Tensor  # G, C, h, w: MicroNet
    expression: Tensor  # B, classes: MicroNet's logits of all anchors
    expression_pos: Tensor  # G, classes: MacroNet's logits of the positives, without gradient
    guided: Tensor  # B, bool


class MTMNet(nn.Module):
    """Macro-to-Micro Network, Sec. 3.2: MicroNet learns, `MacroNet` is frozen for good, in eval mode also in training.

    x_anc (B, 3, H, W) micro; x_pos (G, 3, H, W) macro of the same label and x_neg (G, 3, H, W) micro of another, for
    the G anchors that the mask `guided` (B,) marks: those of a label that the macro corpus has. Default: all. Where
    MicroNet magnifies, `x_N` are the neutral images of x_anc and of x_neg. Raises ValueError where two networks cannot
    guide each other, or images do not belong together.
    """

    def __init__(self, MicroNet: EIDNet, MacroNet: EIDNet) -> None:
        super().__init__()
        if {id(p) for p in MicroNet.parameters()} & {id(p) for p in MacroNet.parameters()}:
            raise ValueError("MicroNet and MacroNet share parameters: freezing one would freeze the other; give a copy")
        if MicroNet.classes != MacroNet.classes:
            raise ValueError(
                f"MicroNet has {MicroNet.classes} classes, MacroNet {MacroNet.classes}: they share one list of classes"
            )
        if MicroNet.E.channels != MacroNet.E.channels:
            raise ValueError(f"embeddings of {MicroNet.E.channels} and {MacroNet.E.channels} channels: give one width")
        if MacroNet.magnify != 1:
            raise ValueError("MacroNet magnifies: positives come without their neutral images")
        self.MicroNet = MicroNet
        self.MacroNet = MacroNet.requires_grad_(False).eval()
        self.D = Discriminator(MicroNet.E.channels)

    def train(self, mode: bool = True) -> "MTMNet":
        """Training mode for MicroNet and D alone."""
        super().train(mode)
        self.MacroNet.eval()
        return self

    def forward(
        self,
        x_anc: Tensor,
        x_pos: Tensor,
        x_neg: Tensor,
        guided: Tensor | None = None,
        *,
        x_N: tuple[Tensor, Tensor] | None = None,
    ) -> MTMOutput:
        """Anchors (B, 3, H, W), positives and negatives (G, 3, H, W), guided (B,) bool -> the tensors of MTMOutput."""
        every = guided is None
        if guided is None:
            guided = torch.ones(x_anc.shape[0], dtype=torch.bool, device=x_anc.device)
        if guided.dtype != torch.bool or guided.shape != x_anc.shape[:1]:
            raise ValueError(f"guided {tuple(guided.shape)}, {guided.dtype}: expected ({len(x_anc)},), bool")
        if every or not torch.compiler.is_compiling():  # an exported graph does not know how many are guided
            check_alike(**{"guided x_anc": x_anc if every else marked(x_anc, guided), "x_pos": x_pos, "x_neg": x_neg})
        f_e, _ = self.MicroNet.E(self.MicroNet.shown(torch.cat([x_anc, x_neg]), torch.cat(x_N) if x_N else None))
        B = x_anc.shape[0]  # len would fix it in an exported graph
        f_anc, f_neg = f_e[:B], f_e[B:]
        f_pos, _ = self.MacroNet.E(x_pos)
        logits, logits_pos = self.MicroNet.D_e(f_anc), self.MacroNet.D_e(f_pos)
        return MTMOutput(f_anc if every else marked(f_anc, guided), f_pos, f_neg, logits, logits_pos, guided)
