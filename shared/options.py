"""The parser of the command line: a subcommand for each paper and each task, with their options and help.

It needs the standard library alone: reproduce.sh checks arguments and prints help before it makes the environment.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import UserError, unknown

ROWS = "TABLE[/ROW][@COLUMN]"
WEIGHTS: dict[str, Any] = {
    "type": Path,
    "metavar": "DIR",
    "default": Path("weights"),
    "help": "folder that holds published weights (default: weights)",
}
NETWORK = "record of a fold (.json), the weights beside it (.safetensors), or a folder that `fit` left"
MOMENTS = {"onset": "the first", "apex": "found in the frequency domain", "offset": "the last"}


def parse(program: str, papers: Mapping[str, str], arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line, checked; `papers` are the names that it knows, each with a line of help.

    Exits with 2 and a message on wrong ones, with 0 on --help. Raises UserError for an unknown command or paper.
    """
    command, *rest = arguments or ["--help"]
    if command.startswith("-") and command not in ("-h", "--help"):
        raise UserError(f"the paper or command comes first: {program} COMMAND {command} …")
    if command in papers and rest[:1] in (["predict"], ["fit"]):
        command, rest = rest[0], [command, *rest[1:]]
    parser = argparse.ArgumentParser(
        prog=program,
        description="Rerun the tables and figures of papers on micro-expressions, beside the printed numbers.",
        epilog="COMMAND --help explains the options of a command.",
    )
    commands = _add_commands(parser, papers)
    if command in ("-h", "--help", "help"):
        parser.parse_args(["--help"])
    if command not in commands:
        raise unknown("paper or command", command, commands)
    if command == "diff" and not rest:
        raise UserError(f"diff needs a paper: {', '.join(papers)}")
    args = commands[command].parse_intermixed_args(rest)
    for name in [*getattr(args, "papers", []), *([args.paper] if "paper" in args else [])]:
        if name not in papers:
            raise unknown("paper", name, papers)
    if getattr(args, "intervals", False) and not args.format:
        raise UserError("--intervals is of --format: it adds the intervals to a manuscript's table")
    args.command = command
    return from_here(args, commands[command])


def from_here(args: argparse.Namespace, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments with the paths that were given taken from where reproduce.sh was called, which it leaves."""
    here = Path(os.environ.get("MER_CALLED_FROM", ""))
    for key, value in vars(args).items():
        if key in MOMENTS and value is not None and not value.isdigit():
            setattr(args, key, str(here / value))  # an image
        elif isinstance(value, Path) and value is not parser.get_default(key):
            setattr(args, key, here / value)
        elif isinstance(value, list) and value and isinstance(value[0], Path):
            setattr(args, key, [here / path for path in value])
        elif key == "set" and here.is_absolute():  # a file's bare name is of the folder of published weights
            setattr(args, key, [(name, str(here / text) if "/" in text else text) for name, text in value])
    return args


def at_least(least: int) -> Callable[[str], int]:
    """A reader of whole numbers that are `least` or more."""

    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def key_value(text: str) -> tuple[str, str]:
    """The two parts of KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: expected key=value")
    return key, value


def _add_commands(parser: argparse.ArgumentParser, papers: Mapping[str, str]) -> dict[str, argparse.ArgumentParser]:
    commands = parser.add_subparsers(metavar="COMMAND", title="papers and other commands")

    one: dict[str, Any] = {"metavar": "PAPER", "help": f"one of {', '.join(papers)}"}
    several = one | {"nargs": "*", "default": list(papers), "help": f"{one['help']} (default: all)"}
    named: dict[str, dict[str, Any]] = {"paper": one, "papers": several}

    def add(name: str, text: str, usage: str = "", takes: str = "", **how: Any) -> argparse.ArgumentParser:
        """The parser of a command; one that `takes` a paper or papers has them as its first argument."""
        added: argparse.ArgumentParser = commands.add_parser(
            name,
            help=text.replace("%", "%%"),
            description=f"{text[:1].upper()}{text[1:]}.",
            usage=f"{parser.prog} {usage}" if usage else None,
            allow_abbrev=False,
            **how,
        )
        if takes:
            added.add_argument(takes, **named[takes])
        return added

    run = f"[{ROWS} ...] [option ...]"
    for name, text in papers.items():
        more = f"`{name} predict --help` explains how to apply a trained network to your own clip."
        p = add(name, text, f"{name} {run}", epilog=more)
        p.set_defaults(paper=name)
        p.add_argument("--diff", action="store_true", help="print the tables from the records, see `diff --help`")
        _add_run(p)
    _add_run(add("all", "rerun the headline rows of every paper", f"all {run}"))
    text = (
        "print the tables of a paper from its records alone; with --data, compare these with the data first, and "
        "write the tables and the page anew"
    )
    p = add("diff", text, f"diff PAPER {run}", "paper")
    p.set_defaults(diff=True)
    _add_run(p, "all of which there are records; whole tables are printed")
    text = "apply a trained network to your own clips: give --clip, or two images as --onset and --apex"
    _add_predict(add("predict", text, "PAPER predict RECORD [option ...]", "paper"))
    text = "train a row's network on all subjects, for use: leaves the network and a model card"
    _add_fit(add("fit", text, "fit PAPER [TABLE/ROW] [option ...]", "paper"))
    text = "write a trained network for other programs, for batches of any size, and check what it gives"
    _add_export(add("export", text))
    add("list", "list papers, tables and rows, and the corpora that each row needs", takes="papers")
    _add_data(
        add("data", "list the corpora found, their counts beside the published ones, and what is wrong with them")
    )
    text = "list the published weights that rows can start from, whether they are there, and fetch them"
    p = add("weights", text, takes="papers")
    p.add_argument("--get", action="store_true", help="fetch those that are missing and have a direct link")
    p.add_argument("--weights", **WEIGHTS)
    add("digits", "show which sample counts and which pooled F1 values the printed digits allow", takes="papers")
    text = "set all papers' methods beside each other, under one protocol for all"
    _add_compare(add("compare", text, "compare emotion|aus [COLUMN ...] [option ...]"))
    text = (
        "test the central claim of each paper, by the size of the training set, on synthetic faces of the people of a "
        "whole corpus"
    )
    _add_claims(add("claims", text, "claims [PAPER ...] [option ...]", "papers"))
    _add_faces(add("faces", "draw synthetic faces and write them in the layouts of the corpora"))
    add("test", "run the tests; all arguments go to pytest")
    return dict(commands.choices)


def _add_run(
    p: argparse.ArgumentParser,
    default: str = "the headline rows",
    *,
    paper: bool = True,
    fit: bool = False,
    seeds: int = 1,
) -> None:
    """The options of a run; without `paper` those that every paper's methods share; with `fit` those of its one row."""
    if paper:
        text = "tables or rows, named as `list` prints them, and columns by the beginning of their names"
        text = "a row, named as `list` prints it" if fit else text
        p.add_argument("rows", nargs="*", metavar=ROWS, help=f"{text} (default: {default})")
    add = p.add_argument_group("data and results").add_argument
    text = "folder that holds the corpora (default: $MER_DATA; if that is not set, synthetic faces)"
    add("--data", type=Path, metavar="DIR", help=text)
    add("--out", type=Path, metavar="DIR", default=Path("runs"), help="folder of the records (default: runs)")
    add("--weights", **WEIGHTS)
    add("--skip-broken", action="store_true", help="leave out the samples that cannot be used, and run the rest")
    add("--verify", action="store_true", help="identify files by their content, not by size and modification time")
    text = "accept records made by other code; the table says so"
    add("--accept-code", action="store_true", help=text)

    add = p.add_argument_group("experiments").add_argument
    text = "paper: with the values of the paper (default on real data); smoke: small (default on synthetic faces)"
    add("--scale", choices=("smoke", "paper"), help=text)
    if paper:
        text = "change a setting of the paper; can be repeated"
        add("--set", type=key_value, action="append", metavar="KEY=VALUE", default=[], help=text)
    text = (
        "annotation sheet to read of a corpus that has several (default: the one that the task names); can be repeated"
    )
    add("--edition", type=key_value, action="append", metavar="CORPUS=EDITION", default=[], help=text)
    if not fit:
        _add_repeats(add, paper, seeds)
    _add_machine(p)


def _add_repeats(add: Callable[..., Any], paper: bool, seeds: int) -> None:
    """How often an experiment is run, how it is scored, and what is kept and printed of it."""
    add("--no-weights", action="store_true", help="do not save the trained weights of each fold beside its record")
    add("--seeds", type=at_least(1), metavar="N", help=f"run each experiment with N seeds (default: {seeds})")
    text = (
        "epoch to score: the last, the best on validation samples, or the best on the test fold (default: as in the "
        "paper); val takes training subjects for validation where the paper has no validation fold"
    )
    if paper:
        add("--rule", choices=("last", "val", "best_on_test"), default="", help=text)
    text = "control experiment: shuffle the labels, so that no score should exceed chance"
    add("--shuffle-labels", action="store_true", help=text)
    if paper:
        _add_format(add)
        text = (
            "exit with code 1 if a number that the authors measured lies outside our interval, never on synthetic faces"
        )
        add("--strict", action="store_true", help=text)


def _add_format(add: Callable[..., Any]) -> None:
    text = "print the measured numbers of the tables for a manuscript, and nothing else"
    add("--format", choices=("latex", "markdown", "csv"), help=text)
    add("--intervals", action="store_true", help="with --format: with the 95 %% intervals")


def _add_machine(p: argparse.ArgumentParser) -> None:
    machine = p.add_argument_group("machine")
    add, either = machine.add_argument, machine.add_mutually_exclusive_group().add_argument
    either("--gpus", type=at_least(1), metavar="N", help="number of GPUs to use (default: all)")
    text = "folds trained at a time on each GPU (default: as many as its memory holds after the first, at most 8)"
    add("--folds-per-gpu", type=at_least(1), metavar="N", help=text)
    text = "number of processes on a machine without a GPU (default: one for each core, at most 8)"
    either("--processes", type=at_least(1), metavar="N", help=text)
    text = "number of data-loading processes during pre-training (default: the cores, if frames are not in memory)"
    add("--workers", type=at_least(0), metavar="N", help=text)
    text = "share each batch of a pre-training among all processes (always so with several GPUs)"
    add("--data-parallel", action="store_true", help=text)
    text = "say what the run would cost, estimated from up to ten timed steps of each experiment, and end"
    add("--dry-run", action="store_true", help=text)


def _add_fit(p: argparse.ArgumentParser) -> None:
    p.set_defaults(diff=False, seeds=1, rule="", no_weights=False, shuffle_labels=False)
    p.add_argument("--task", metavar="TASK", help="one of the paper's tasks (default: that of the row's first column)")
    text = "publish network and card on the Hugging Face hub, after a question"
    p.add_argument("--push", metavar="USER/NAME", help=text)
    p.add_argument("--yes", action="store_true", help="answer that question with yes")
    _add_run(p, "the last headline row", fit=True)


def _add_export(p: argparse.ArgumentParser) -> None:
    p.add_argument("weights", metavar="RECORD", type=Path, help=NETWORK)
    text = "ONNX (needs onnx, onnxscript and onnxruntime), or a program of torch.export (.pt2)"
    p.add_argument("--to", choices=("onnx", "torch-export"), required=True, help=text)
    p.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: beside the weights)")


def _add_data(p: argparse.ArgumentParser) -> None:
    p.add_argument("--data", type=Path, metavar="DIR", help="folder that holds the corpora (default: $MER_DATA)")
    p.add_argument("--csv", type=Path, metavar="FILE", help="also write the list to FILE")
    text = "also decode every image of the clips, list the broken ones, and print a checksum of each corpus's files"
    p.add_argument("--verify", action="store_true", help=text)


def _add_compare(p: argparse.ArgumentParser) -> None:
    p.set_defaults(rule="", set=[])
    p.add_argument("kind", choices=("emotion", "aus"), help="classes of emotions, or action units")
    text = "a task, TASK/CORPUS, or TASK/AUn for a single unit, as `list` prints them (default: all tasks)"
    p.add_argument("columns", nargs="*", metavar="COLUMN", help=text)
    text = "methods to compare, by their names, as `list` prints them (default: all)"
    p.add_argument("--methods", nargs="+", metavar="NAME", default=[], help=text)
    text = "method that the others are compared with (default: linear SVM on flow)"
    p.add_argument("--reference", metavar="NAME", default="linear SVM on flow", help=text)
    p.add_argument("--leak", action="store_true", help="also show the leak, best on test − last epoch")
    p.add_argument("--diff", action="store_true", help="compare the records there are, without running anything")
    _add_format(p.add_argument)
    _add_run(p, paper=False)


def _add_claims(p: argparse.ArgumentParser) -> None:
    p.set_defaults(rule="last", set=[])
    text = "sizes of the training set, on synthetic faces at most 12 (default: 3 6 12)"
    p.add_argument("--people", type=at_least(1), nargs="+", metavar="N", default=[3, 6, 12], help=text)
    p.add_argument("--diff", action="store_true", help="test them on the records there are, without running anything")
    _add_run(p, paper=False, seeds=5)


def _add_predict(p: argparse.ArgumentParser) -> None:
    add = p.add_argument
    add("record", metavar="RECORD", type=Path, help=NETWORK)
    text = (
        "folders of numbered images, videos (frames are numbered from 0), folders that hold such clips, or CSV files "
        "with the columns clip and, where they are known, onset, apex, offset, fps, left, top, right and bottom"
    )
    add("--clip", type=Path, metavar="PATH", nargs="+", action="extend", default=[], help=text)
    for moment, default in MOMENTS.items():
        add(f"--{moment}", metavar="N|IMAGE", help=f"with --clip a frame number, else an image (default: {default})")
    text = "frame rate, used to find the apex (default: as a video's file says, else 200)"
    add("--fps", type=float, metavar="N", help=text)
    text = (
        "the face in pixels, cropped as in the released corpora (default: the whole image; of an image that is wider "
        "than a face, the face that dlib finds in the onset image)"
    )
    add("--box", type=int, nargs=4, metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"), help=text)
    text = "average over the networks of all folds, which lie beside that of RECORD; for people that none of them knows"
    add("--ensemble", action="store_true", help=text)
    text = "score each window of N frames of one long clip by itself, and draw the scores over time"
    add("--window", type=at_least(2), metavar="N", help=text)
    text = "frames from one window to the next (default: half a window)"
    add("--step", type=at_least(1), metavar="N", help=text)
    text = "folder of the results (default: prediction)"
    add("--out", type=Path, metavar="DIR", default=Path("prediction"), help=text)


def _add_faces(p: argparse.ArgumentParser) -> None:
    add = p.add_argument
    add("folder", type=Path, metavar="DIR", help="new folder, or one that already holds such faces")
    add("--full", action="store_true", help="as many subjects, clips and labels as in the real corpora")
    add("--corpora", nargs="+", metavar="CORPUS", help="only these corpora (default: all)")
    add("--size", type=at_least(8), metavar="N", default=128, help="side of a face in pixels (default: 128)")
    add("--seed", type=at_least(0), metavar="N", default=0, help="draw other people (default: 0)")
    text = "write placeholders instead of images, to try the reading of a corpus quickly"
    add("--no-pixels", action="store_true", help=text)
