"""The released network, functionally, on a state dict with its names: the reference for the model and the loader."""

import torch
import torch.nn.functional as F

STREAMS = {"S": 1, "L": 16, "T": 2}
LAYERS = {"conv1": (32, 64, 5), "conv2": (64, 64, 3), "conv3": (64, 64, 3), "conv4": (64, 128, 3),
          "conv5": (128, 128, 3), "AC1_conv1": (64, 128, 3), "AC1_conv2": (128, 128, 3), "AC2_conv1": (64, 128, 3),
          "AC2_conv2": (128, 128, 3)}


def magnifier_shapes(channels):
    """Keys of encoder and manipulator -> shapes."""
    blocks = [f"resblks.{i}" for i in range(3)] + [f"motion_resblks.{i}" for i in range(2)]
    encoder = {"cba_1": (16, channels, 7, 7), "cba_2": (32, 16, 3, 3), "motion_cba": (32, 32, 3, 3)}
    encoder |= {f"{block}.cba_{i}": (32, 32, 3, 3) for block in blocks for i in (1, 2)}
    manipulator = {"g": (32, 32, 7, 7)} | dict.fromkeys(["h_conv", "h_resblk.cba_1", "h_resblk.cba_2"], (32, 32, 3, 3))
    return encoder, manipulator


def draw(classes=5, seed=0):
    """A state dict as the released network's."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        fan_in = max(1, torch.Size(shape[1:]).numel())
        return torch.randn(*shape, generator=generator) / fan_in**0.5

    w = {}
    for s, channels in STREAMS.items():
        for part, shapes in zip(("Encoder", "Manipulator"), magnifier_shapes(channels), strict=True):
            w |= {f"Aug_{part}_{s}.{key}.conv2d.weight": normal(*shape) for key, shape in shapes.items()}
        for name, (c_in, c_out, k) in LAYERS.items():
            conv = f"{name}_{s}" + (".net" if s == "T" and name != "conv1" else "")
            w |= {f"{conv}.weight": normal(c_out, c_in, k, k), f"{conv}.bias": normal(c_out)}
            bn = f"{name.replace('conv', 'bn')}_{s}"
            w |= {f"{bn}.weight": 1 + normal(c_out) / 4, f"{bn}.bias": normal(c_out) / 4,
                  f"{bn}.running_mean": normal(c_out) / 4, f"{bn}.running_var": 1 + normal(c_out).square(),
                  f"{bn}.num_batches_tracked": torch.tensor(7)}
    for name, (_, c_out, _) in LAYERS.items():
        w[f"{name.replace('conv', 'ECA')}.conv.weight"] = normal(1, 1, 3 if c_out == 64 else 5)
    for fc in ("AC1_fc", "AC2_fc", "fc2"):
        w |= {f"{fc}.weight": normal(classes, 384), f"{fc}.bias": normal(classes)}
    return w


def classify(w, x):
    """x (B, 38, 48, 48), float64 -> logits and features of AC1, AC2 and the deepest classifier, as at inference."""
    w = {key: value.double() for key, value in w.items()}
    apex, onset, apex_patches, onset_patches = x[:, :1], x[:, 1:2], x[:, 2:18], x[:, 18:34]
    flow = torch.stack([x[:, 34:36], x[:, 36:38]], 1).reshape(-1, 2, 48, 48)
    inputs = {"S": (onset, apex), "L": (onset_patches, apex_patches), "T": (torch.zeros_like(flow), flow)}
    features = [[], [], []]
    for s, (a, b) in inputs.items():
        h = layer(w, "conv1", s, magnify(w, s, a, b), padding=0)
        h1 = F.max_pool2d(h, 5, stride=2, padding=2)
        h3 = F.avg_pool2d(layer(w, "conv3", s, layer(w, "conv2", s, h1)), 3, stride=2, padding=1)
        ends = [layer(w, f"AC{i}_conv2", s, layer(w, f"AC{i}_conv1", s, h)) for i, h in ((1, h1), (2, h3))]
        ends.append(layer(w, "conv5", s, layer(w, "conv4", s, h3)))
        for of_classifier, end in zip(features, ends, strict=True):
            pooled = end.mean((2, 3))
            of_classifier.append((pooled[0::2] + pooled[1::2]) / 2 if s == "T" else pooled)
    features = [torch.cat(parts, 1) for parts in features]
    heads = zip(("AC1_fc", "AC2_fc", "fc2"), features, strict=True)
    return [f @ w[f"{fc}.weight"].T + w[f"{fc}.bias"] for fc, f in heads], features


def magnify(w, s, a, b):
    def conv(part, key, x, stride=1):
        weight = w[f"Aug_{part}_{s}.{key}.conv2d.weight"]
        p = weight.shape[-1] // 2
        return F.conv2d(F.pad(x, (p, p, p, p), mode="reflect"), weight, stride=stride)

    def residual(part, key, x):
        return x + conv(part, f"{key}.cba_2", conv(part, f"{key}.cba_1", x).relu())

    def encode(x):
        x = conv("Encoder", "cba_2", conv("Encoder", "cba_1", x).relu(), stride=2).relu()
        for i in range(3):
            x = residual("Encoder", f"resblks.{i}", x)
        x = conv("Encoder", "motion_cba", x).relu()
        for i in range(2):
            x = residual("Encoder", f"motion_resblks.{i}", x)
        return x

    M_a, M_b = encode(a), encode(b)
    motion = conv("Manipulator", "h_conv", 2 * conv("Manipulator", "g", M_b - M_a).relu())
    return M_b + residual("Manipulator", "h_resblk", motion)


def layer(w, name, s, x, padding=1):
    shifted = s == "T" and name != "conv1"
    if shifted:
        fold, y = x.shape[1] // 8, x.clone()
        y[0::2, :fold], y[1::2, :fold] = x[1::2, :fold], 0
        y[1::2, fold:2 * fold], y[0::2, fold:2 * fold] = x[0::2, fold:2 * fold], 0
        x = y
    conv, bn = f"{name}_{s}" + (".net" if shifted else ""), f"{name.replace('conv', 'bn')}_{s}"
    x = F.conv2d(x, w[f"{conv}.weight"], w[f"{conv}.bias"], padding=padding)
    x = F.batch_norm(x, w[f"{bn}.running_mean"], w[f"{bn}.running_var"], w[f"{bn}.weight"], w[f"{bn}.bias"]).relu()
    if s == "L":
        kernel = w[f"{name.replace('conv', 'ECA')}.conv.weight"]
        pooled = torch.stack([x.mean((2, 3)), x.amax((2, 3))])
        across = [F.conv1d(p.unsqueeze(1), kernel, padding=kernel.shape[-1] // 2) for p in pooled]
        x = x * sum(across).sigmoid().transpose(1, 2).unsqueeze(-1)
    return x
