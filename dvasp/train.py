"""Co-training of the teacher on faces in the wild (Sec. III-B), then the student under its supervision (Sec. III-C)."""

from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from shared.gradcam import gradcam, scaled
from shared.job import Job, Pretraining, autocast
from shared.metrics import score
from shared.weights import published

from .data import EMOTIONET, IMAGENET, MAGNIFIED, PLAIN, Faces, Statistics, augmented, centred, normalised
from .losses import is_release, selective_weights, student_loss, teacher_loss
from .model import DualView, SingleView, Student, Teacher, Views, freeze, load_imagenet, weights_file


def build_teacher(config) -> Teacher:
    return Teacher(depth=config.teacher_depth, views=config.views, width=config.width, follow=config.follow)


def network(config, N: int) -> partial:
    """What makes the student."""
    student = DualView if config.views == 2 else SingleView
    return partial(student, N=N, depth=config.depth, width=config.width, follow=config.follow)


def start(net: Views, config, weights) -> None:
    """ImageNet's weights (Sec. IV-C), from the folder `weights` or the network."""
    if config.init == "imagenet":
        path = Path(weights, weights_file(net.trunks[0].depth))
        with published(path, "torchvision's weights of ImageNet", "--set init=random goes on without"):
            load_imagenet(net, weights)


def pretrain(job: Pretraining) -> dict[str, Tensor]:
    """Sec. III-B: the weights of the teacher; of one view, it learns from the labelled images alone."""
    config = job.config
    teacher = build_teacher(config)
    start(teacher, config, job.weights)
    faces = Faces(
        job.samples["EmotioNet"], each=config.unlabelled_each if config.views == 2 else 0,
        unlabelled=config.unlabelled, resize=config.resize, seed=job.seed, cache=job.cache,
    )  # fmt: skip
    teacher = job.synchronised(teacher)
    adam = torch.optim.Adam(teacher.parameters(), lr=config.teacher_lr)
    job.keep(teacher=teacher, adam=adam)
    parallel, adam = job.team.prepare(teacher.train(), adam)
    for _, _, batch in job.batches(faces, epochs=config.teacher_epochs, batch=config.teacher_batch):
        images, p, draws, lots = (part.flatten(0, 1) for part in batch)
        share = slice(job.team.process_index * len(p), (job.team.process_index + 1) * len(p))
        everyone = job.team.gather(p), job.team.gather(lots)  # a_c is "calculated in each batch"
        a = selective_weights(everyone[0], selective=config.selective, lots=everyone[1])[share]
        with autocast(config, job.device):
            output = parallel(normalised(augmented(images, draws, config.size), EMOTIONET))
            terms = teacher_loss(
                output, p, a, lambda_mv=config.teacher_lambda_mv, lambda_cr=config.lambda_cr, cr_on=config.cr_on,
                follow=config.follow,
            )  # fmt: skip
        adam.zero_grad()
        job.team.backward(sum(terms.values()))
        adam.step()
        job.log(**terms)
    if job.team.is_main_process:
        job.history[-1]["held-out f1_macro"] = round(held_out(teacher, faces, config.size), 4)
    return teacher.state_dict()


@torch.no_grad()
def held_out(teacher: Teacher, faces: Faces, size: int) -> float:
    """Macro F1 of the labelled images that the teacher did not learn from, mean over its AUs."""
    teacher.eval()
    images, p = faces.tested()
    device = teacher.FC[0].weight.device
    inputs = (normalised(centred(part.to(device), size), EMOTIONET) for part in images.split(64))
    z = torch.cat([teacher(x).fused for x in inputs]).cpu()
    return score(p.nan_to_num(-1).numpy(), (z > 0).numpy(), 2, "f1_macro")


def train(job: Job) -> None:
    """Sec. III-C: one fold of a student, scored after every epoch."""
    config = job.config
    images = torch.tensor(job.data.stacked()[:, MAGNIFIED], device=job.device)
    train, test, p = job.rows("train"), job.rows("test"), job.targets
    student = job.build(network(config, len(job.task.aus))).to(memory_format=torch.channels_last)
    start(student, config, job.weights)
    teacher = None
    if job.pretrained:
        teacher = build_teacher(config).to(job.device, memory_format=torch.channels_last)
        teacher.load_state_dict(job.pretrained)
    if config.method == "fine-tune":
        student.trunks.load_state_dict(teacher.trunks.state_dict())
        teacher = None
    own = statistics(config)
    sgd = torch.optim.SGD(student.parameters(), lr=config.lr, momentum=config.momentum)
    decay = torch.optim.lr_scheduler.StepLR(sgd, config.drop, gamma=0.1)

    def held_out(rows: Tensor) -> Tensor:
        return normalised(centred(images[rows], config.size), own)

    b = min(config.batch, len(train))  # smaller batches are left out: L_asp goes with 1 / b
    for epoch in range(config.epochs):
        student.train()
        losses = []
        for some in job.shuffled(train, least=b):
            draws = torch.rand(len(some), 3, generator=job.augmentation).to(job.device)
            crops = augmented(images[some], draws, config.size)
            with autocast(config, job.device):
                taught = attend(teacher, crops) if teacher else None
                terms = student_loss(
                    student(normalised(crops, own)), p[some], taught, lambda_mv=config.lambda_mv, method=config.method,
                    alpha=config.weight, follow=config.follow,
                )  # fmt: skip
            loss = sum(terms.values())
            job.check(loss, epoch, some)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        decay.step()
        job.score(epoch, lambda rows: predict(student, held_out(rows)), loss=fmean(losses))
    job.figures["maps"] = activation_maps(job.scored(), held_out(test), p[test])


def statistics(config) -> Statistics:
    """What the student's images are normalised by."""
    return EMOTIONET if config.method == "fine-tune" else PLAIN if is_release(config.follow) else IMAGENET


@torch.no_grad()
def attend(teacher: Teacher, crops: Tensor):
    """The frozen teacher's output of images (B, 3, H, W) in 0..1."""
    return freeze(teacher)(normalised(crops, EMOTIONET))


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
    x = normalised(centred(torch.tensor(data.stacked()[:, MAGNIFIED]), config.size), statistics(config))
    scores = predict(student, x)
    maps = [torch.tensor([m[str(au)] for au in range(student.N)]) for m in activation_maps(student, x, scores + 1)]
    maps = F.interpolate(torch.stack(maps).mean(dim=2), (config.size, config.size), mode="bilinear")  # of both views
    return scores, F.pad(maps, [(config.resize - config.size) // 2] * 4)
