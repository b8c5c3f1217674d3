"""STSTNet (Liong et al., "Shallow Triple Stream Three-dimensional CNN", FG 2019), as in the authors' Python version.

The paper pads the convolutions to "same" and mentions neither batch norm nor dropout; the Python version pads by two.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

SIDE = 28  # pixels
FILTERS = (3, 5, 8)  # of the three streams
RELEASED = {"conv": 0, "bn": 2}  # released names -> places in a stream


class STSTNet(nn.Module):
    """Three shallow streams on one input; 1,683 parameters for three classes.

    forward: (B, 3, 28, 28), the flow's u, v and the magnitude of its strain, each an image in 0..255 (released code;
    not scaled down) -> logits (B, classes). Raises ValueError for other shapes.
    """

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3, filters, 3, padding=2),  # (B, filters, 30, 30)
                nn.ReLU(),
                nn.BatchNorm2d(filters),
                nn.MaxPool2d(3, stride=3, padding=1),  # (B, filters, 10, 10)
                nn.Dropout(0.5),
            )
            for filters in FILTERS
        )
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(sum(FILTERS) * 5 * 5, classes)

    def features(self, x: Tensor) -> Tensor:
        """The input of the classifier, (B, 400)."""
        if x.ndim != 4 or x.shape[1:] != (3, SIDE, SIDE):
            raise ValueError(f"STSTNet takes u, v and strain as (B, 3, {SIDE}, {SIDE}), not {tuple(x.shape)}")
        return self.pool(torch.cat([stream(x) for stream in self.streams], 1)).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """u, v and strain (B, 3, 28, 28) in [0, 255] -> logits (B, classes)."""
        return self.fc(self.features(x))

    def predict(self, x: Tensor) -> Tensor:
        """x as in `forward` -> class probabilities (B, classes)."""
        return self(x).softmax(1)

    @classmethod
    def from_released(cls, state_dict: Mapping[str, Tensor]) -> "STSTNet":
        """The network with weights under the released names. Raises ValueError for names and shapes that do not fit."""
        given = {}
        for name, value in state_dict.items():
            name = name.removeprefix("module.")  # of data-parallel training
            if match := re.match(r"(conv|bn)([123])\.", name):
                name = f"streams.{int(match[2]) - 1}.{RELEASED[match[1]]}.{name[match.end() :]}"
            given[name] = value
        if "fc.weight" not in given:
            raise ValueError("fc.weight, which gives the number of classes, is not among the weights of STSTNet")
        net = cls(len(given["fc.weight"]))
        try:
            net.load_state_dict(given)
        except RuntimeError as error:
            raise ValueError(f"these weights are not those of STSTNet: {error}") from error
        return net
