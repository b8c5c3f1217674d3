"""Co-training of the teacher on faces in the wild (Sec. III-B), then the student under its supervision (Sec. III-C)."""

from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from shared.errors import UserError, log
from shared.metrics import constant_baseline, score
from shared.runs.fold import FoldTraining, autocast
from shared.runs.gradcam import gradcam, scaled
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights, read_tensors

from .data import MAGNIFIED, Faces, augmented, central
from .losses import is_release, selective_weights, student_loss, teacher_loss
from .model import DualView, SingleView, Student, Teacher, Views, freeze, load_imagenet, read_teacher, weights_file

HELD_OUT, CONSTANT = "held-out f1_macro", "held-out f1_macro of all absent"


def build_teacher(config, statistics: str = "emotionet") -> Teacher:
    return Teacher(
        depth=config.teacher_depth, views=config.views, width=config.width, follow=config.follow, statistics=statistics
    )


def network(config, N: int) -> partial:
    """What makes the student. One that continues a teacher sees images as that did; released code: none normalised."""
    statistics = "none" if is_release(config.follow) else "emotionet" if config.method == "fine-tune" else "imagenet"
    return partial(
        DualView if config.views == 2 else SingleView,
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


def start(net: Views, config, weights) -> None:
    """ImageNet's weights (Sec. IV-C), from the folder `weights` or the network."""
    if config.start == "imagenet":
        path = Path(weights, weights_file(net.trunks[0].depth))
        with published_weights(path, "torchvision's weights of ImageNet", "--set start=random does without them"):
            load_imagenet(net, weights)


def pretrain(pretraining: Pretraining) -> dict[str, Tensor]:
    """Sec. III-B: the weights of the teacher; of one view, it learns from the labelled images alone."""
    config = pretraining.config
    if (
        config.views == 2
        and config.start == "random"
        and config.lambda_cr > 10
        and pretraining.accelerator.is_main_process
    ):
        log(
            f"{pretraining.name}: with random initial weights, L'_cr times {config.lambda_cr:g} makes the views agree "
            "before they have learned anything; the teacher's held-out F1 will show it; --set lambda_cr=2 avoids this"
        )
    teacher = build_teacher(config)
    start(teacher, config, pretraining.weights_dir)
    teacher = pretraining.synchronised(teacher)
    adam = torch.optim.Adam(teacher.parameters(), lr=config.teacher_lr)
    pretraining.keep(teacher=teacher, adam=adam)
    parallel, adam = pretraining.accelerator.prepare(teacher.train(), adam)
    for _, _, batch in pretraining.batches(epochs=config.teacher_epochs, batch=config.teacher_batch):
        images, p, draws, lots = (part.flatten(0, 1) for part in batch)
        share = slice(
            pretraining.accelerator.process_index * len(p), (pretraining.accelerator.process_index + 1) * len(p)
        )
        everyone = (
            pretraining.accelerator.gather(p),
            pretraining.accelerator.gather(lots),
        )  # a_c is "calculated in each batch"
        a = selective_weights(everyone[0], selective=config.selective, lots=everyone[1])[share]
        with autocast(config, pretraining.device):
            output = parallel(augmented(images, draws, config.size, flip=config.flip))
        terms = teacher_loss(
            output,
            p,
            a,
            lambda_mv=config.teacher_lambda_mv,
            lambda_cr=config.lambda_cr,
            cr_on=config.cr_on,
            follow=config.follow,
        )
        adam.zero_grad()
        pretraining.accelerator.backward(sum(terms.values()))
        adam.step()
        pretraining.log(**terms)
    if pretraining.accelerator.is_main_process:
        pretraining.history[-1] |= held_out(teacher, pretraining.data, config.size)
    return teacher.state_dict()


@torch.no_grad()
def held_out(teacher: Teacher, faces: Faces, size: int) -> dict[str, float]:
    """Macro F1 of the labelled images that the teacher did not learn from, mean over its AUs, and of "all absent"."""
    teacher.eval()
    images, p = faces.tested()
    device = teacher.FC[0].weight.device
    z = torch.cat([teacher(central(part.to(device), size)).fused for part in images.split(64)]).cpu()
    target = p.nan_to_num(-1).numpy()
    f1 = score(target, (z > 0).numpy(), 2, "f1_macro")
    return {HELD_OUT: round(f1, 4), CONSTANT: round(constant_baseline(target, 2, "f1_macro"), 4)}


def trained_teacher(config, weights: str | Path, pretrained: dict[str, Tensor] | None) -> Teacher | None:
    """The teacher that a row learns from: of the pre-training, or of the file that `teacher` names; None without."""
    statistics = "none" if is_release(config.follow) else "emotionet"
    if config.method == "none":
        return None
    if not config.teacher:
        teacher = build_teacher(config, statistics)
        teacher.load_state_dict(pretrained)
        return teacher
    path = Path(weights, config.teacher)  # a whole path stays as it is
    path = path if path.is_file() or not Path(config.teacher).is_file() else Path(config.teacher)
    with published_weights(
        path, f"a teacher of {config.views} view(s)", "without --set teacher one is trained on EmotioNet"
    ):
        teacher = read_teacher(read_tensors(path), views=config.views, follow=config.follow, statistics=statistics)
    trunk = teacher.trunks[0]
    same = {"fine-tune": (trunk.depth, trunk.width) == (config.depth, config.width), "Fit": trunk.width == config.width}
    if not same.get(config.method, True):
        raise UserError(
            f"{path} holds a ResNet-{trunk.depth} of width {trunk.width}; {config.method} needs the student's own: "
            f"ResNet-{config.depth} of width {config.width}; --set width={trunk.width}"
        )
    return teacher


def train(training: FoldTraining) -> None:
    """Sec. III-C: one fold of a student, scored after every epoch."""
    config = training.config
    images = torch.tensor(training.data.stacked()[:, MAGNIFIED], device=training.device)
    train, test, p = training.indices("train"), training.indices("test"), training.targets
    student = training.build(network(config, len(training.task.aus))).to(memory_format=torch.channels_last)
    start(student, config, training.weights_dir)
    teacher = trained_teacher(config, training.weights_dir, training.pretrained)
    if config.method == "fine-tune":
        student.trunks.load_state_dict(teacher.trunks.state_dict())
        teacher = None
    if teacher:
        teacher = freeze(teacher.to(training.device, memory_format=torch.channels_last))
    sgd = torch.optim.SGD(student.parameters(), lr=config.lr, momentum=config.momentum)
    decay = torch.optim.lr_scheduler.StepLR(sgd, config.drop, gamma=0.1)

    def middle(rows: Tensor) -> Tensor:
        return central(images[rows], config.size)

    b = min(config.batch, len(train))  # smaller batches are left out: L_asp goes with 1 / b
    for epoch in range(config.epochs):
        student.train()
        losses = []
        for some in training.shuffled(train, least=b):
            draws = torch.rand(len(some), 3, generator=training.augmentation).to(training.device)
            crops = augmented(images[some], draws, config.size, flip=config.flip)
            with autocast(config, training.device):
                output, taught = student(crops), teacher(crops) if teacher else None
            terms = student_loss(
                output,
                p[some],
                taught,
                lambda_mv=config.lambda_mv,
                method=config.method,
                alpha=config.weight,
                follow=config.follow,
            )
            loss = sum(terms.values())
            training.check(loss, epoch, some)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        decay.step()
        training.score(epoch, lambda rows: predict(student, middle(rows)), loss=fmean(losses))
    training.figures["maps"] = activation_maps(training.scored(student), middle(test), p[test])


def predict(student: Student, x: Tensor) -> Tensor:
    """Probabilities of the AUs (B, N)."""
    student.eval()
    return torch.cat([student.predict(part) for part in x.split(64)])


def activation_maps(student: Student, x: Tensor, p: Tensor) -> list[dict[str, list]]:
    """Fig. 5: of each image, by the index of each AU that it shows, each view's class activation map (H/32, W/32).

    Each map is scaled to a maximum of 1.
    """
    student.eval()
    found: list[dict[str, list]] = [{} for _ in x]
    for first in range(0, len(x), 64):
        output = student.forward(x[first : first + 64])  # a compiled call keeps no graph from maps to logits
        views = list(zip(output.features, output.views, strict=True))
        for au in range(p.shape[1]):
            maps = [gradcam(A[-1], z[:, au, 1] - z[:, au, 0]) for A, z in views]
            maps = scaled(torch.stack(maps, dim=1))  # (B, V, H/32, W/32)
            for i in range(len(maps)):
                if p[first + i, au]:
                    found[first + i][str(au)] = maps[i].tolist()
    return found


def apply(student: Student, data, config) -> tuple[Tensor, Tensor]:
    """For a user's clips: the probability of each AU (N, AUs) and its map on the face (N, AUs, resize, resize)."""
    x = central(torch.tensor(data.stacked()[:, MAGNIFIED]), config.size)
    scores = predict(student, x)
    maps = [torch.tensor([m[str(au)] for au in range(student.N)]) for m in activation_maps(student, x, scores + 1)]
    maps = F.interpolate(torch.stack(maps).mean(dim=2), (config.size, config.size), mode="bilinear")  # of both views
    return scores, F.pad(maps, [(config.resize - config.size) // 2] * 4)
