"""Apex spotting on generated micro-expressions whose true apex is known: mean error in frames, and seconds a clip."""

import argparse
import tempfile
import time

import numpy as np

from shared.pixels.temporal import spot_apex
from shared.synthetic.write import clip, truth, write


def bench(root, corpus: str, clips: int, seconds: float, size: int) -> None:
    """`seconds` of a neutral face are put before or around the expression, in random shares.

    Beside spotting: always answering the middle frame, and the frame that differs most from the first.
    """
    write(root, [corpus], pixels=False)
    rows = truth(root)
    rows = rows[(rows["corpus"] == corpus) & (rows["frames"] > 5)]
    rows = rows.sample(min(clips, len(rows)), random_state=0).to_dict("records")
    rng, errors, spent, lengths = np.random.default_rng(0), [], 0.0, []
    for row in rows:
        more = round(seconds * row["fps"])
        row |= {"first": row["first"] - int(rng.integers(0, more + 1)), "frames": row["frames"] + more}
        frames = clip(row).render(size, gray=True)
        apex, T = int(row["apex"]) - int(row["first"]), len(frames)
        start = time.process_time()
        spotted = spot_apex(frames, float(row["fps"]))
        spent += time.process_time() - start
        changed = np.abs(frames.astype(np.int16) - frames[0]).mean(axis=(1, 2)).argmax()
        errors.append([abs(answer - apex) for answer in (spotted, (T - 1) / 2, changed)])
        lengths.append(T)
    mean = np.mean(errors, axis=0)
    print(
        f"{corpus}, {rows[0]['fps']} fps, {len(rows)} clips of {np.mean(lengths):.1f} frames: mean error in frames: "
        f"spotted {mean[0]:.2f}, middle frame {mean[1]:.2f}, largest difference from the first {mean[2]:.2f}; "
        f"ratio {mean[0] / mean[1]:.2f} to the middle frame's; {spent / len(rows):.3f} s a clip"
    )


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("corpora", nargs="*", default=["CASME2", "SMIC", "CASME3"])
    p.add_argument("--small", action="store_true", help="two clips: to see that it runs")
    args = p.parse_args(arguments)
    corpora, clips, size = (["CASME2"], 2, 140) if args.small else (args.corpora, 30, 140)
    for corpus in corpora:
        for more in (0.0, 1.0):
            with tempfile.TemporaryDirectory() as folder:
                bench(f"{folder}/faces", corpus, clips, more, size)


if __name__ == "__main__":
    main()
