"""Co-training of the teacher on faces in the wild (Sec. III-B), then the student under its supervision (Sec. III-C)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shared.errors import UserError, log
from shared.metrics import constant_baseline, score
from shared.pixels.frames import Store
from shared.runs.fold import FoldTraining, autocast, total
from shared.runs.gradcam import gradcam, on_face, scaled
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights, read_tensors

from .config import IMAGENET, TEACHER, Config
from .data import MAGNIFIED, Faces, augmented, central
from .losses import AUS, is_release, selective_weights, student_loss, teacher_loss
from .model import DualView, SingleView, Statistics, Student, Teacher, Views, freeze, load_imagenet, read_teacher

HELD_OUT, CONSTANT = "held-out f1_macro", "held-out f1_macro of all absent"

Maps = dict[str, list[list[list[float]]]]  # by the index of an AU, the activation map (H/32, W/32) of each view


@dataclass(frozen=True)
class Left:
    """The part of a record that the figures read, at the scored epoch."""

    maps: list[Maps]  # of each test sample, for the AUs that it shows (Fig. 5)


def build_teacher(config: Config, statistics: Statistics = "emotionet") -> partial[Teacher]:
    """The teacher, to be built, with random weights, for images normalised by `statistics`."""
    return partial(
        Teacher,
        depth=config.teacher_depth,
        views=config.views,
        width=config.width,
        follow=config.follow,
        statistics=statistics,
        size=config.size,
    )


def network(config: Config, N: int) -> partial[Student]:
    """The student, to be built. DVFT normalises images as its teacher did; released code does not normalise."""
    statistics: Statistics
    statistics = "none" if is_release(config.follow) else "emotionet" if config.method == "fine-tune" else "imagenet"
    student: Callable[..., Student] = DualView if config.views == 2 else SingleView
    return partial(
        student,
        N=N,
        depth=config.depth,
        width=config.width,
        follow=config.follow,
        statistics=statistics,
        resize=config.resize,
        size=config.size,
        ratio=config.ratio,
        lambda_c=config.lambda_c,
    )


def network_input(config: Config) -> dict[str, Any]:
    """What the networks take, for those who load one."""
    shapes = {"x": [3, config.size, config.size]}
    return {"size": config.size, "colour": "RGB", "range": [0, 1], "shapes": shapes}


def start(net: Views, config: Config, weights_dir: Path) -> None:
    """Load the initial weights (Sec. IV-C), ImageNet's, from their file in the folder `weights_dir`."""
    if config.start == "imagenet":
        file = IMAGENET[net.depth]
        with published_weights(weights_dir / file.name, file) as path:
            load_imagenet(net, read_tensors(path))


def pretrain(pretraining: Pretraining[Config]) -> dict[str, Tensor]:
    """Co-training (Sec. III-B): the teacher's weights. With one view, it learns from the labelled images alone."""
    config, faces = pretraining.config, pretraining.data
    assert isinstance(faces, Faces)
    too_soon = config.views == 2 and config.start == "random" and config.lambda_cr > 10
    if too_soon and pretraining.accelerator.is_main_process:
        log(
            f"{pretraining.name}: with random initial weights, L'_cr times {config.lambda_cr:g} makes the views agree "
            "before they have learned anything; the teacher's held-out F1 will show it; --set lambda_cr=2 avoids this"
        )
    pretraining.leaves(build_teacher(config), [f"AU{au}" for au in AUS], **network_input(config))
    made = build_teacher(config)()
    start(made, config, pretraining.weights_dir)
    teacher = pretraining.synchronised(made)
    adam = torch.optim.Adam(teacher.parameters(), lr=config.teacher_lr, fused=pretraining.device.type == "cuda")
    pretraining.keep(teacher=teacher, adam=adam)
    parallel, adam = pretraining.accelerator.prepare(teacher.train(), adam)
    for _, _, batch in pretraining.batches(epochs=config.teacher_epochs, batch=config.teacher_batch):
        images, p, draws, noise = (part.flatten(0, 1) for part in batch)
        first = pretraining.accelerator.process_index * len(p)  # a_c is "calculated in each batch": of all processes
        labels, noise = pretraining.accelerator.gather(p), pretraining.accelerator.gather(noise)
        of = [0, 1] if is_release(config.follow) else [0, 0]  # Eq. (1) has one a_c; the release draws for each view
        each = [noise[:, view] for view in of[: config.views]]
        a = torch.stack([selective_weights(labels, selective=config.selective, noise=one) for one in each])
        with autocast(config, pretraining.device):
            output = parallel(augmented(images, draws, config.size, flip=config.flip))
        terms = teacher_loss(
            output,
            p,
            a[:, first : first + len(p)],
            lambda_mv=config.teacher_lambda_mv,
            lambda_cr=config.lambda_cr,
            cr_on=config.cr_on,
            follow=config.follow,
        )
        adam.zero_grad()
        pretraining.accelerator.backward(total(terms.values()))
        adam.step()
        pretraining.log(**terms)
    if pretraining.accelerator.is_main_process:
        pretraining.history[-1] |= held_out(teacher, faces, config.size)
    return teacher.state_dict()


@torch.no_grad()
def held_out(teacher: nn.Module, faces: Faces, size: int) -> dict[str, float]:
    """Macro F1, mean over AUs, on the labelled images that the teacher did not learn from, and that of "all absent"."""
    teacher.eval()
    images, p = faces.tested()
    device = next(teacher.parameters()).device
    z = torch.cat([teacher(central(part.to(device), size)).fused for part in images.split(64)]).cpu()
    target = p.nan_to_num(-1).numpy()
    f1 = score(target, (z > 0).numpy(), 2, "f1_macro")
    return {HELD_OUT: round(f1, 4), CONSTANT: round(constant_baseline(target, 2, "f1_macro"), 4)}


def trained_teacher(config: Config, weights_dir: Path, pretrained: dict[str, Tensor] | None) -> Teacher | None:
    """The teacher that a row learns from, pre-trained or from the file that `teacher` names; None where it has none."""
    statistics: Statistics = "none" if is_release(config.follow) else "emotionet"
    if config.method == "none":
        return None
    if not config.teacher:
        teacher = build_teacher(config, statistics)()
        teacher.load_state_dict(pretrained or {})
        return teacher
    path = weights_dir / config.teacher  # an absolute path stays as it is
    if not path.is_file() and Path(config.teacher).is_file():
        path = Path(config.teacher)
    with published_weights(path, replace(TEACHER, what=f"a teacher of {config.views} view(s)")):
        teacher = read_teacher(read_tensors(path), views=config.views, follow=config.follow, statistics=statistics)
    other_width, other_depth = teacher.width != config.width, teacher.depth != config.depth
    if (config.method in ("fine-tune", "Fit") and other_width) or (config.method == "fine-tune" and other_depth):
        raise UserError(
            f"{path} holds a ResNet-{teacher.depth} of width {teacher.width}; {config.method} needs the student's own: "
            f"ResNet-{config.depth} of width {config.width}; --set width={teacher.width}"
        )
    return teacher


def student_and_teacher(training: FoldTraining[Config, Store]) -> tuple[Student, Teacher | None]:
    """A fold's student with its initial weights, and the frozen teacher that it learns from, if any."""
    config = training.config
    made = training.build(
        network(config, len(training.task.aus)),
        frames="onset, apex",
        resize=config.resize,
        magnified=f"{config.ratio:g} times, by dvasp.prepare(onset, apex, **net.input)",
        **network_input(config),
    )
    student = made.to(memory_format=torch.channels_last)
    if config.method != "fine-tune":  # which starts from the teacher
        start(student, config, training.weights_dir)
    teacher = trained_teacher(config, training.weights_dir, training.pretrained)
    if teacher is None:
        return student, None
    if config.method == "fine-tune":
        student.trunks.load_state_dict(teacher.trunks.state_dict())
        return student, None
    return student, freeze(teacher.to(training.device).to(memory_format=torch.channels_last))


def train(training: FoldTraining[Config, Store]) -> None:
    """Training of one fold's student (Sec. III-C), scored after every epoch."""
    config = training.config
    images = torch.tensor(training.data.stacked()[:, MAGNIFIED], device=training.device)
    train, test, p = training.indices("train"), training.indices("test"), training.targets
    student, teacher = student_and_teacher(training)
    fused = training.device.type == "cuda"
    sgd = torch.optim.SGD(student.parameters(), lr=config.lr, momentum=config.momentum, fused=fused)
    decay = torch.optim.lr_scheduler.StepLR(sgd, config.drop, gamma=0.1)

    def middle(rows: Tensor) -> Tensor:
        return central(images[rows], config.size)

    b = min(config.batch, len(train))  # smaller batches are left out: L_asp is proportional to 1 / b
    for epoch in training.epochs(config.epochs):
        student.train()
        for rows in training.shuffled(train, least=b):
            draws = torch.rand(len(rows), 3, generator=training.augmentation)
            crops = augmented(images[rows], draws.to(images.device, non_blocking=True), config.size, flip=config.flip)
            with autocast(config, training.device):
                output, target = student(crops), teacher(crops) if teacher else None
            terms = student_loss(
                output,
                p[rows],
                target,
                lambda_mv=config.lambda_mv,
                method=config.method,
                alpha=config.weight,
                follow=config.follow,
            )
            loss = total(terms.values())
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            training.note(rows, loss=loss)
        decay.step()
        training.score(epoch, lambda rows: predict(student, middle(rows)), **training.means(epoch))
    training.figures = Left(maps=activation_maps(training.scored(student), middle(test), p[test]))


@torch.no_grad()
def predict(student: Student, x: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] -> probabilities of the AUs (B, N), in eval mode."""
    student.eval()
    return torch.cat([student.predict(part) for part in x.split(64)])


def activation_maps(student: Student, x: Tensor, p: Tensor) -> list[Maps]:
    """Class activation maps (Fig. 5) of images x (B, 3, H, W), for the AUs that they show by labels p (B, N).

    Each map is scaled to a maximum of 1.
    """
    student.eval()
    found: list[Maps] = [{} for _ in x]
    for first in range(0, len(x), 64):
        output = student.forward(x[first : first + 64])  # a compiled call keeps no graph from maps to logits
        views = list(zip(output.features, output.views, strict=True))
        for au in range(p.shape[1]):
            each = [gradcam(A[-1], z[:, au, 1] - z[:, au, 0]) for A, z in views]
            maps = scaled(torch.stack(each, dim=1))  # (B, V, H/32, W/32)
            for i in range(len(maps)):
                if p[first + i, au]:
                    found[first + i][str(au)] = maps[i].tolist()
    return found


def apply(student: Student, data: Store, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: the probability of each AU (N, AUs) and its map on the face (N, AUs, resize, resize)."""
    x = central(torch.tensor(data.stacked()[:, MAGNIFIED]), config.size)
    scores = predict(student, x)
    each = [torch.tensor([m[str(au)] for au in range(student.N)]) for m in activation_maps(student, x, scores + 1)]
    maps = torch.stack(each).mean(dim=2)  # of the views
    return scores, on_face(maps, size=config.size, resize=config.resize)
