"""What every architecture must do, and what single ones promise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.models.base import VAE, InputSpec, Model, parameter_count
from songatlas.models.blocks import Upsample
from songatlas.models.losses import gaussian_kl_per_unit

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=6, max_lines=3)
PAPER = InputSpec(n_mels=128, n_frames=1292, lyrics_dim=32, max_lines=16)
LATENT = 8


@dataclass(frozen=True)
class Case:
    architecture: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, spec: InputSpec = SPEC, seed: int = 0) -> Model:
        torch.manual_seed(seed)
        model = registry.build(self.architecture, spec, LATENT, self.options)
        if self.architecture == "vade":
            rng = np.random.default_rng(seed)
            model.start_joint_training(rng.normal(size=(40, LATENT)), seed)
        if self.architecture in ("dec", "idec"):
            latents = np.random.default_rng(seed).normal(size=(40, LATENT))
            model.start_joint_training(latents, seed)
            model.start_epoch(model.pretrain_epochs, np.arange(40), lambda: latents)
        return model


CASES = {
    "basic_vae": Case("basic_vae"),
    "conv_vae": Case("conv_vae"),
    "cvae": Case("cvae", {"condition_on": "language", "n_classes": 4}),
    "vade": Case("vade", {"widths": [32, 16], "n_components": 3}),
    "early": Case("multimodal_vae", {"fusion": "early"}),
    "late": Case("multimodal_vae", {"fusion": "late"}),
    "attention": Case("multimodal_vae", {"fusion": "attention"}),
    "autoencoder": Case("autoencoder"),
    **{
        f"fusion_{fusion}": Case("fusion", {"fusion": fusion, "channels": [8], "width": 16})
        for fusion in ("early", "late", "attention", "contrastive", "poe")
    },
    "attention_vae": Case("attention_vae", {"channels": [8, 16], "width": 16}),
    "contrastive_audio": Case("contrastive_audio", {"channels": [8, 16]}),
    "dec": Case("dec", {"n_clusters": 3}),
    "idec": Case("idec", {"n_clusters": 3}),
    "vq_vae": Case("vq_vae", {"width": 16, "code_dim": 4}),
    "hierarchical_vae": Case("hierarchical_vae", {"window_dim": 4}),
}
WITHOUT_DECODER = ("contrastive_audio",)

every_architecture = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_vae = pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.architecture not in WITHOUT_DECODER],
    ids=[name for name, case in CASES.items() if case.architecture not in WITHOUT_DECODER],
)


def make_batch(spec: InputSpec = SPEC, n: int = 6, seed: int = 0) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    lines = normal(n, spec.max_lines, spec.lyrics_dim)
    lines[:, -1] = 0.0
    db = normal(2, n, spec.n_mels, spec.n_frames)
    return {
        "mel": db[0].unsqueeze(1),
        "db": db[0],
        "scale_db": torch.ones(n),
        "has_mel": torch.ones(n, dtype=torch.bool),
        "has_lyrics": torch.ones(n, dtype=torch.bool),
        "pair": db[1].unsqueeze(1),
        "pair_db": db[1],
        "row": torch.arange(n),
        "track": torch.arange(n) // 2,
        "lyrics": normal(n, spec.lyrics_dim),
        "lyrics_lines": lines,
        "label": torch.arange(n) % 4,
    }


def test_every_file_with_an_architecture_is_checked_here() -> None:
    of_vectors_alone = {"multimodal_vade"}  # tests/models/test_multimodal_vade.py
    found = {case.architecture for case in CASES.values()} | of_vectors_alone
    assert found == set(registry.architectures())


@every_architecture
def test_the_registry_knows_whose_embedding_decodes_to_a_spectrogram(case: Case) -> None:
    model, batch = case.build().eval(), make_batch()
    try:
        decoded = model.decode(model.embed(batch), batch)
    except (RuntimeError, ValueError):  # `decode` takes more than `embed` gives
        decoded = None
    moves = decoded is not None and bool((decoded.std(dim=-1) > 0).any())
    assert registry.decodes(case.architecture) == moves


@pytest.mark.parametrize(("mels", "frames"), [(16, 21), (17, 16), (30, 23), (31, 22)])
@every_vae
def test_shapes_for_odd_and_even_sizes(case: Case, mels: int, frames: int) -> None:
    spec = InputSpec(mels, frames, lyrics_dim=6, max_lines=3)
    model, batch = case.build(spec), make_batch(spec)
    mu = model.embed(batch)
    assert mu.shape == (6, LATENT)
    if isinstance(model, VAE):
        assert model.encode(batch)[1].shape == (6, LATENT)
    assert model.reconstruct(batch).shape == (6, 1, mels, frames)


@every_architecture
def test_same_seed_gives_the_same_loss(case: Case) -> None:
    def loss() -> Tensor:
        torch.manual_seed(3)
        return case.build(seed=3).loss(make_batch(), kl_weight=1.0, scale="elbo")["loss"]

    assert torch.equal(loss(), loss())


@every_architecture
def test_embedding_is_deterministic_and_one_window_at_a_time_in_eval_mode(case: Case) -> None:
    model, batch = case.build().eval(), make_batch()
    whole = model.embed(batch)
    assert whole.shape == (6, LATENT)
    assert torch.equal(whole, model.embed(batch))
    one = model.embed({name: values[2:3] for name, values in batch.items()})
    torch.testing.assert_close(one, whole[2:3], atol=1e-5, rtol=1e-4)


@every_architecture
def test_state_dict_restores_the_model(case: Case) -> None:
    model, other, batch = case.build(), case.build(seed=1), make_batch()
    model.loss(batch, kl_weight=1.0, scale="elbo")  # moves the running statistics
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.eval().embed(batch), other.eval().embed(batch))
    decoded = model.reconstruct(batch)
    assert (decoded is None) == (case.architecture in WITHOUT_DECODER)
    assert decoded is None or torch.equal(decoded, other.reconstruct(batch))


@every_architecture
def test_nan_in_a_window_shows_in_the_loss(case: Case) -> None:
    batch = make_batch()
    batch["mel"][0, 0, 0, 0] = batch["db"][0, 0, 0] = float("nan")
    assert case.build().loss(batch, kl_weight=1.0, scale="elbo")["loss"].isnan()


@pytest.mark.parametrize("scale", ["paper", "elbo"])
@every_architecture
def test_loss_decreases_on_a_tiny_batch(case: Case, scale: Any) -> None:
    model, batch = case.build(), make_batch()
    for module in model.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        terms = model.loss(batch, kl_weight=0.1, scale=scale)
        terms["loss"].backward()
        optimizer.step()
        losses.append(float(terms["loss"].detach()))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])  # what is drawn anew makes single ones differ


@pytest.mark.parametrize("scale", ["paper", "elbo"])
@every_architecture
def test_gradients_reach_every_parameter(case: Case, scale: Any) -> None:
    model = case.build()
    model.loss(make_batch(), kl_weight=1.0, scale=scale)["loss"].backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    if case.architecture == "dec":  # its decoder is trained beforehand
        assert all(name.startswith("autoencoder.decoder.") for name in without)
    else:
        assert without == []
    # The key's bias of an attention shifts all scores alike: its gradient is zero by definition.
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@every_architecture
def test_supervision_is_declared_where_labels_are_shown(case: Case) -> None:
    assert case.build().supervision == ("labels" if case.architecture == "cvae" else "none")


@pytest.mark.parametrize(
    ("architecture", "options", "count"),
    [
        ("basic_vae", {}, 5_488_032),
        ("conv_vae", {}, 64_458_049),
        ("cvae", {"condition_on": "language", "n_classes": 4}, 69_709_761),
        ("cvae", {"condition_on": "genre", "n_classes": 3}, 69_709_729),
        ("vade", {"widths": [512, 256], "n_components": 15}, 169_879_567),
        ("vade", {"widths": [32, 64, 128, 256]}, 10_940_751),
    ],
)
def test_parameter_counts_are_the_published_ones(
    architecture: str, options: dict[str, Any], count: int
) -> None:
    with torch.device("meta"):
        assert parameter_count(registry.build(architecture, PAPER, 128, options)) == count


def test_too_short_windows_are_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match=r"windows\.length_s"):
        CASES["conv_vae"].build(InputSpec(16, 15, 6, 3))


@pytest.mark.parametrize(
    ("architecture", "options", "key"),
    [
        ("basic_vae", {"dropout": 1.0}, "dropout"),
        ("basic_vae", {"widths": []}, "widths"),
        ("basic_vae", {"widths": [8, 0]}, "widths"),
        ("vade", {"n_components": 0}, "n_components"),
        ("vade", {"pretrain_epochs": 0}, "pretrain_epochs"),
        ("cvae", {"condition_on": "genre"}, "n_classes"),
        ("multimodal_vae", {"n_heads": 7}, "n_heads"),
        ("multimodal_vae", {"audio_weight": 0.0}, "audio_weight"),
    ],
)
def test_options_out_of_range_name_their_key(
    architecture: str, options: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{key}:"):
        registry.build(architecture, SPEC, LATENT, options)


@pytest.mark.parametrize("odd", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_upsampling_equals_a_transposed_convolution_with_output_padding(
    odd: tuple[int, int],
) -> None:
    plain = nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1, output_padding=odd)
    ours = Upsample(3, 2, odd)
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(ours(x), plain(x))


def test_autoencoder_has_no_kl_and_no_noise() -> None:
    model, batch = CASES["autoencoder"].build().eval(), make_batch()
    first = model.loss(batch, kl_weight=1.0, scale="paper")
    assert float(first["kl"]) == 0.0
    assert torch.equal(first["loss"], first["reconstruction"])
    assert torch.equal(first["loss"], model.loss(batch, kl_weight=1.0, scale="paper")["loss"])


# --- conditional VAE -------------------------------------------------------------------------


def test_unknown_label_is_zeros_in_all_three_places() -> None:
    model, batch = CASES["cvae"].build().eval(), make_batch()
    batch["label"][:] = -1
    unknown = model.embed(batch)
    decoded = model.decode(unknown, batch)
    batch["label"][:] = 0  # also a channel of zeros
    with torch.no_grad():
        model.embedding.weight[0] = 0.0
    assert torch.equal(unknown, model.embed(batch))
    assert torch.equal(decoded, model.decode(unknown, batch))


def test_label_changes_encoder_and_decoder() -> None:
    model, batch = CASES["cvae"].build().eval(), make_batch()
    z, decoded = model.embed(batch), model.decode(torch.zeros(6, LATENT), batch)
    batch["label"] = (batch["label"] + 1) % 4
    assert (model.embed(batch) != z).any(1).all()
    assert (model.decode(torch.zeros(6, LATENT), batch) != decoded).flatten(1).any(1).all()


def test_a_single_class_is_possible() -> None:
    model = registry.build("cvae", SPEC, LATENT, {"condition_on": "genre", "n_classes": 1})
    batch = {**make_batch(), "label": torch.zeros(6, dtype=torch.int64)}
    assert model.embed(batch).isfinite().all()


# --- multimodal VAE --------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["early", "late", "attention"])
def test_windows_without_lyrics_are_finite_and_depend_on_audio_alone(fusion: str) -> None:
    model, batch = CASES[fusion].build().eval(), make_batch()
    with_lyrics = model.embed(batch)
    batch["lyrics"][:3] = 0.0
    batch["lyrics_lines"][:3] = 0.0
    mixed = model.embed(batch)
    assert mixed.isfinite().all()
    assert torch.equal(mixed[3:], with_lyrics[3:])
    assert (mixed[:3] != with_lyrics[:3]).any(1).all()
    # Whatever lyrics the other windows have and whatever the layers would make of zeros.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lyrics" in name or "project_lines" in name:
                parameter.mul_(2.0).add_(0.5)
    batch["lyrics"] *= -1.0
    torch.testing.assert_close(model.embed(batch)[:3], mixed[:3])


@pytest.mark.parametrize("fusion", ["early", "late", "attention"])
def test_training_without_any_lyrics_has_finite_gradients(fusion: str) -> None:
    model, batch = CASES[fusion].build(), make_batch()
    batch["lyrics"][:] = 0.0
    batch["lyrics_lines"][:] = 0.0
    model.loss(batch, kl_weight=1.0, scale="elbo")["loss"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_padding_may_stand_anywhere_between_the_lines() -> None:
    model, batch = CASES["attention"].build().eval(), make_batch()
    z = model.embed(batch)
    batch["lyrics_lines"] = batch["lyrics_lines"].flip(1)
    torch.testing.assert_close(model.embed(batch), z)


# --- VaDE ------------------------------------------------------------------------------------


def blobs(n: int = 60, n_blobs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % n_blobs
    return rng.normal(scale=6.0, size=(n_blobs, LATENT))[truth] + rng.normal(
        scale=0.3, size=(n, LATENT)
    ), truth


def test_vade_finds_three_blobs() -> None:
    model = CASES["vade"].build()
    latents, truth = blobs()
    model.start_joint_training(latents, seed=0)
    found = model.prior.log_responsibilities(torch.tensor(latents, dtype=torch.float32)).argmax(1)
    pairs = {(int(a), int(b)) for a, b in zip(truth, found, strict=True)}
    assert len(pairs) == 3


def test_vade_with_one_standard_component_is_a_plain_vae() -> None:
    model = registry.build("vade", SPEC, LATENT, {"widths": [8], "n_components": 1})
    mu, logvar = torch.randn(4, LATENT), torch.randn(4, LATENT)
    expected = gaussian_kl_per_unit(mu, logvar).sum(1)
    torch.testing.assert_close(model.kl(mu, logvar, mu), expected)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_vade_survives_fewer_windows_than_components(n: int) -> None:
    model = registry.build("vade", SPEC, LATENT, {"widths": [8], "n_components": 7})
    latents = np.random.default_rng(0).normal(size=(n, LATENT))
    latents[-1] = latents[0]
    model.start_joint_training(latents, seed=0)
    assert all(p.isfinite().all() for p in model.parameters())
    assert model.loss(make_batch(), kl_weight=1.0, scale="elbo")["loss"].isfinite()


def test_vade_revives_an_empty_component() -> None:
    model = registry.build("vade", SPEC, LATENT, {"widths": [8], "n_components": 3})
    batch = make_batch()
    latents = model.embed(batch).detach().numpy()
    model.start_joint_training(latents, seed=0)
    with torch.no_grad():
        model.prior.means[1] = 1e3
    model.loss(batch, kl_weight=1.0, scale="elbo")
    asked = []

    def embed() -> np.ndarray:
        asked.append(True)
        return latents

    model.start_epoch(1, np.arange(6), embed)
    assert np.isclose(latents, model.prior.means[1].detach()).all(1).any()
    model.start_epoch(2, np.arange(6), embed)
    assert len(asked) == 1  # latents are computed only where a component is empty


def test_vade_pretraining_is_reconstruction_alone() -> None:
    model, batch = CASES["vade"].build().eval(), make_batch()
    model.pretraining = True
    terms = model.loss(batch, kl_weight=1.0, scale="paper")
    assert float(terms["kl"]) == 0.0
    assert torch.equal(terms["loss"], terms["reconstruction"])


def test_vade_assigns_every_window() -> None:
    own = CASES["vade"].build().eval().assign(make_batch())
    assert own is not None
    assert own.shape == (6,)
    assert own.dtype == torch.int64
