"""Settings of the toy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.runs.config import Settings, setting


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    pretrain: bool = setting(False, "training")
    source: str = setting("CASME2", "training")
    pretrain_epochs: int = setting(4, "pre-training", least=1)
    pretrain_batch: int = setting(8, "pre-training", least=1)
    checkpoint: float = setting(600.0, "pre-training", least=0)  # seconds
    epochs: int = setting(2, "training", least=0)
    pause: float = setting(0.0, "machine", least=0)  # seconds that an epoch takes on top
    lr: float = setting(0.05, "network", above=0)
    delta: tuple[int, int] = setting((3, 8), "training", least=1)
    norm: Literal["batch", "none"] = setting("batch", "network")

    def conflicts(self) -> Iterator[str]:
        if self.source == "SAMM" and self.epochs > 4:
            yield f"epochs={self.epochs}: expected at most 4 with source=SAMM"
