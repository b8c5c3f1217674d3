"""A convolution, a batch norm, a linear layer."""

from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self, classes: int, norm: str = "batch"):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4) if norm == "batch" else nn.Identity()
        self.fc = nn.Linear(36, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 1, 8, 8) -> logits (B, classes)."""
        return self.fc(self.norm(self.conv(x)).relu().flatten(1))
