"""python -m dvasp_together FOLDER: 20 steps of a teacher in two processes, on the images in FOLDER."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from faces import teach

from dvasp.config import SMOKE, Config
from shared.runs.parallel import make_accelerator

CONFIG = replace(
    Config(**SMOKE), resize=40, size=32, width=4, teacher_depth=18, teacher_batch=4, unlabelled_each=1, teacher_epochs=7
)  # 3 steps an epoch

if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    folder, accelerator = Path(sys.argv[1]), make_accelerator()
    images = pd.read_pickle(folder / "images.pkl")
    weights, curve, _ = teach(CONFIG, images, folder / "cache", folder / "together", accelerator)
    torch.save({"weights": weights, "curve": curve}, folder / f"rank{os.environ['RANK']}.pt")
    accelerator.end_training()
