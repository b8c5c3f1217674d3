import pytest
import torch
from oracles import golden, recipe, released_weights, worst
from safetensors.torch import save_file

from ma2mi.autoencoder import FILE, Autoencoder, PoolAutoencoder, read_safetensors

OLDER = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def published(*channels):
    """Another library's autoencoder, with the published configuration but for the channels."""
    from diffusers import AutoencoderKL  # here, because it takes five seconds

    levels = len(channels)
    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=2,
        latent_channels=4,
        scaling_factor=0.18215,
    ).eval()


class Small(Autoencoder):
    def __init__(self):
        super().__init__((32, 64, 64))


@pytest.fixture(scope="module")
def reference():
    return published(32, 64, 64).requires_grad_(False)


def older(name):
    for new, old in OLDER.items():
        name = name.replace(new, old) if "attentions" in name else name
    return name


def test_paper_size_has_the_names_and_shapes_of_the_published_weights():
    with torch.device("meta"):
        ours, theirs = Autoencoder(), published(128, 256, 512, 512)
        Z = ours.encode(torch.empty(2, 3, 256, 256))
        assert Z.shape == (2, 4, 32, 32) and ours.decode(Z).shape == (2, 3, 256, 256)
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    assert len(shapes) == 248
    assert sum(p.numel() for p in ours.parameters()) == 83_653_863


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_published_configurations_numbers(dtype, tolerance):
    arrays = golden("autoencoder_kl")
    net = Autoencoder().to(dtype)
    net.load_state_dict(released_weights(arrays))
    seed = int(arrays["seed"])
    I = torch.from_numpy(2 * recipe.uniform(seed, 0, (1, 3, 64, 64)) - 1).to(dtype)
    latent = torch.from_numpy(recipe.normal(seed, 1, (1, 4, 8, 8))).to(dtype)
    mean, logvar = net.quant_conv(net.encoder(I)).chunk(2, dim=1)
    Z = net.encode(I)
    assert worst(mean, arrays["mean"]) < tolerance and worst(logvar, arrays["logvar"]) < tolerance
    assert worst(Z / 0.18215, arrays["mean"]) < tolerance
    tolerance = max(tolerance, 1e-7)  # images are stored in float32
    assert worst(net.decode(latent * 0.18215), arrays["decoded"]) < tolerance
    assert worst(net.decode(Z), arrays["decoded_of_mean"]) < tolerance


@pytest.mark.parametrize("rename", [str, older])
@pytest.mark.parametrize("given", ["file", "folder"])
def test_both_spellings_give_the_other_librarys_numbers(tmp_path, reference, rename, given):
    state = {rename(name): tensor for name, tensor in reference.state_dict().items()}
    save_file(state, tmp_path / FILE, metadata={"format": "pt"})
    net = Small.load(tmp_path / FILE if given == "file" else tmp_path)
    I = torch.rand(2, 3, 32, 32) * 2 - 1
    Z = net.encode(I)
    torch.testing.assert_close(Z, reference.encode(I).latent_dist.mode() * 0.18215, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.decode(Z), reference.decode(Z / 0.18215).sample, rtol=1e-4, atol=1e-5)


def test_it_is_frozen():
    I = torch.rand(1, 3, 16, 16, requires_grad=True)
    net = Small()
    net.decode(net.encode(I)).sum().backward()
    assert I.grad.abs().sum() > 0 and all(p.grad is None for p in net.parameters())


def test_half_precision_files_load_as_single(tmp_path, reference):
    for dtype in (torch.float16, torch.bfloat16):
        save_file({k: v.to(dtype) for k, v in reference.state_dict().items()}, tmp_path / FILE)
        state = Small.load(tmp_path).state_dict()
        assert all(v.dtype == torch.float32 for v in state.values())
        name = "decoder.conv_out.weight"
        assert (state[name] == reference.state_dict()[name].to(dtype).float()).all()


def test_reader_agrees_with_the_library(tmp_path):
    tensors = {"a": torch.randn(3, 5), "b": torch.randn(2, 3, 1).half(), "c": torch.randn(1).double()}
    save_file(tensors, tmp_path / FILE, metadata={"format": "pt"})
    read = read_safetensors(tmp_path / FILE)
    assert read.keys() == tensors.keys()
    assert all((read[k] == v).all() and read[k].dtype == v.dtype for k, v in tensors.items())


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"diffusion_pytorch_model.safetensors not found.*stabilityai/sd-vae-ft-ema"
    ):
        Autoencoder.load(tmp_path)


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "vae.ckpt", "vae.pt"])
def test_pickled_weights_are_not_read(tmp_path, name):
    torch.save({"a": torch.ones(2)}, tmp_path / name)
    sentence = rf"{name} is pickled and is not read: safetensors is required; .*{FILE} of 'stabilityai/sd-vae-ft-ema'"
    with pytest.raises(ValueError, match=sentence):
        Autoencoder.load(tmp_path / name)
    if name.endswith(".bin"):
        with pytest.raises(ValueError, match=sentence):
            Autoencoder.load(tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path, reference):
    bias = torch.tensor([0.0, float("nan"), 0.0])
    save_file({**reference.state_dict(), "decoder.conv_out.bias": bias}, tmp_path / FILE)
    with pytest.raises(ValueError, match=rf"{FILE} holds numbers that are not finite, in decoder.conv_out.bias"):
        Small.load(tmp_path)


@pytest.mark.parametrize("net", [Small(), PoolAutoencoder(4)])
@pytest.mark.parametrize("shape", [(2, 3, 33, 32), (2, 3, 32, 30), (2, 1, 32, 32), (3, 32, 32)])
def test_images_that_would_be_cut_are_refused(net, shape):
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\), H and W multiples of 4, not"):
        net.encode(torch.ones(shape))


def test_another_models_weights_are_refused(tmp_path, reference):
    state = reference.state_dict()
    del state["quant_conv.bias"]
    state["decoder.conv_out.bias"] = torch.zeros(4)
    save_file(state, tmp_path / FILE)
    with pytest.raises(ValueError, match=r"2 tensors .* decoder.conv_out.bias, quant_conv.bias$"):
        Small.load(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[:-3],
        lambda b: b[:100],
        lambda b: b"",
        lambda b: b"version https://git-lfs",
        lambda b: (7).to_bytes(8, "little") + b'["list"]',
        lambda b: (11).to_bytes(8, "little") + b'{"a": null}',
    ],
)
def test_spoiled_files_are_named(tmp_path, spoil):
    save_file({"a": torch.randn(50)}, tmp_path / FILE)
    (tmp_path / FILE).write_bytes(spoil((tmp_path / FILE).read_bytes()))
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model.safetensors is cut off or no safetensors file"):
        read_safetensors(tmp_path / FILE)


def test_pooling_for_quick_runs():
    net = PoolAutoencoder()
    I = torch.rand(2, 3, 32, 16)
    Z = net.encode(I)
    assert Z.shape == (2, 4, 4, 2)
    assert float(Z[1, 2, 3, 0]) == pytest.approx(3 * float(I[1, 2, 24:, :8].mean()), abs=1e-6)
    assert float(Z[0, 3, 0, 1]) == pytest.approx(3 * float(I[0, :, :8, 8:].mean()), abs=1e-6)
    decoded = net.decode(Z)
    assert decoded.shape == I.shape
    torch.testing.assert_close(net.encode(decoded), Z)
