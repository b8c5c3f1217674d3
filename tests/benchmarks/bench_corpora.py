"""Indexing without pixels, at two sizes each: seconds, microseconds a file, and the ratio of these."""

import argparse
import os
import tempfile
import time
from pathlib import Path

from shared.corpora import dfew, emotionet


def dfew_disk(root: Path, clips: int, frames: int) -> None:
    for clip in range(1, clips + 1):
        folder = root / f"DFEW/Clip/clip_224x224/{clip:05d}"
        folder.mkdir(parents=True)
        for number in range(1, frames + 1):
            os.link(root / "image", folder / f"{clip:05d}_{number:05d}.jpg")
    for fold in range(5):
        for side in ("train", "test"):
            chosen = [clip for clip in range(1, clips + 1) if (clip % 5 == fold) == (side == "test")]
            path = root / f"DFEW/EmoLabel_DataSplit/{side}(single_labeled)/set_{fold + 1}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("video_name,label\n" + "".join(f"{clip:05d},{clip % 7 + 1}\n" for clip in chosen))


def emotionet_disk(root: Path, images: int, labelled: int) -> None:
    rows = []
    for number in range(images):
        group, name = f"N_{number // 1000:010d}", f"N_{number // 1000:010d}_{number % 1000:05d}.jpg"
        (root / "EmotioNet" / group).mkdir(parents=True, exist_ok=True)
        os.link(root / "image", root / "EmotioNet" / group / name)
        rows += [f"http://x/{group}/{name},http://y," + ",".join(["1", "0", "999"] * 20)] * (number < labelled)
    header = "URL,URL orig," + ",".join(f"'AU {unit}'" for unit in range(1, 61))
    (root / "EmotioNet/EmotioNet_FACS_aws_2020_24600.csv").write_text("\n".join([header, *rows]) + "\n")


def bench(module, make, files: int, *sizes: int) -> float:
    """Microseconds a file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "image").touch()
        make(Path(folder), *sizes)
        start = time.perf_counter()
        samples = module.read(folder).samples
        seconds = time.perf_counter() - start
    each = 1e6 * seconds / files
    print(f"{module.NAME}: {len(samples)} samples, {files} files: {seconds:.2f} s, {each:.1f} µs a file")
    return each


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="few files: to see that it runs")
    count = 50 if p.parse_args(arguments).small else 2000
    once, twice = (bench(dfew, dfew_disk, 12 * clips, clips, 12) for clips in (count, 2 * count))
    print(f"{dfew.NAME}: twice the files, ratio {twice / once:.2f} of a file's time")
    once, twice = (bench(emotionet, emotionet_disk, n, n, n // 8) for n in (10 * count, 20 * count))
    print(f"{emotionet.NAME}: twice the files, ratio {twice / once:.2f} of a file's time")


if __name__ == "__main__":
    main()
