"""A mixture prior over audio and lyrics vectors: the bound, missing modalities, clusters."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from songatlas.errors import ConfigError
from songatlas.models.base import InputSpec
from songatlas.models.losses import MIN_VARIANCE, Scale
from songatlas.models.mixture import MixturePrior
from songatlas.models.multimodal_vade import Architecture

torch.set_num_threads(1)

AUDIO, LYRICS, LATENT = 9, 7, 4
N_VALUES = AUDIO + LYRICS
SPEC = InputSpec(
    n_mels=0,
    n_frames=0,
    lyrics_dim=LYRICS,
    max_lines=0,
    audio_dim=AUDIO,
    songs=True,
    one_unit=("audio", "lyrics"),
)
NOISE = 0.25
"""Variance of what a toy model's decoders leave open."""

Batch = dict[str, Tensor]


def build(seed: int = 0, spec: InputSpec = SPEC, **options: Any) -> Architecture:
    torch.manual_seed(seed)
    return Architecture(spec, LATENT, **{"n_components": 3, **options}).eval()


def make_batch(audio: Tensor, lyrics: Tensor, heard: Tensor | None = None) -> Batch:
    n = len(audio)
    heard = torch.ones(n, dtype=torch.bool) if heard is None else heard
    return {
        "audio": torch.where(heard[:, None], audio, 0.0),
        "lyrics": lyrics,
        "has_mel": heard,
        "has_lyrics": torch.ones(n, dtype=torch.bool),
        "row": torch.arange(n),
        "track": torch.arange(n),
    }


def random_batch(n: int = 12) -> Batch:
    return make_batch(torch.randn(n, AUDIO), torch.randn(n, LYRICS), torch.arange(n) % 4 > 0)


def without(batch: Batch, *names: str) -> Batch:
    """The batch with no row that has these modalities."""
    lacking = dict(batch)
    for name in names:
        has = {"audio": "has_mel", "lyrics": "has_lyrics"}[name]
        lacking |= {name: torch.zeros_like(batch[name]), has: torch.zeros_like(batch[has])}
    return lacking


def shaken(model: Architecture, size: float = 0.2) -> Architecture:
    """With random weights: networks start at zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return model


def bound(model: Architecture, batch: Batch, n_passes: int = 20) -> float:
    """Minus the loss, in nats of a row, averaged over samples of the latent."""
    with torch.no_grad():
        losses = [
            model.loss(batch, kl_weight=1.0, scale="elbo")["loss"].item() for _ in range(n_passes)
        ]
    return -float(np.mean(losses)) * N_VALUES


def linear_toy() -> tuple[Architecture, Batch]:
    """A model whose posterior is exact, and data of it: x = W z + noise, z ~ N(0, I).

    The towers are rotations: each modality depends on its own half of the latent.
    """
    model = build(n_components=1)
    with torch.no_grad():
        for tower in (model.audio, model.lyrics):
            rotate(tower)
            # p(z | x) has the precision 1 + 1 / NOISE and the mean Wᵀx / NOISE over that.
            own = tower.log_precision > 0.0
            tower.log_precision.copy_(torch.where(own, -math.log(NOISE), -30.0))
        z = torch.randn(3000, LATENT)
        audio = z @ model.audio.decoder.linear.weight.T + NOISE**0.5 * torch.randn(len(z), AUDIO)
        lyrics = z @ model.lyrics.decoder.linear.weight.T + NOISE**0.5 * torch.randn(len(z), LYRICS)
    return model, make_batch(audio, lyrics, torch.arange(len(z)) % 4 > 0)


def rotate(tower: torch.nn.Module) -> None:
    """Let a tower's linear maps be a rotation into its own half of the latent, and back."""
    expert, decoder = tower.expert.linear, tower.decoder.linear
    for linear in (expert, decoder):
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
    directions = torch.nn.init.orthogonal_(torch.empty_like(expert.weight[tower.own]))
    expert.weight[tower.own] = directions
    decoder.weight[:, tower.own] = directions.T


def exact_log_likelihood(model: Architecture, batch: Batch) -> float:
    """Mean log density of what the rows of a linear toy have, in nats."""
    total = 0.0
    for tower, name, has in (
        (model.audio, "audio", batch["has_mel"]),
        (model.lyrics, "lyrics", batch["has_lyrics"]),
    ):
        weight = tower.decoder.linear.weight.detach()
        covariance = weight @ weight.T + NOISE * torch.eye(len(weight))
        density = torch.distributions.MultivariateNormal(torch.zeros(len(weight)), covariance)
        total += density.log_prob(batch[name][has]).sum().item()
    return total / len(batch["row"])


def importance_log_likelihood(model: Architecture, batch: Batch, n: int = 4000) -> float:
    """The same of any model at its calibrated variances, by sampling from the posterior."""
    with torch.no_grad():
        done = model(batch)
        terms = model.terms(batch, done, kl_weight=1.0, scale="elbo")
        q = torch.distributions.Normal(done.mu, torch.exp(0.5 * done.logvar))
        z = q.sample((n,))
        log_w = log_mixture(model.prior, z) - q.log_prob(z).sum(2)
        for tower, name, has, error in (
            (model.audio, "audio", "has_mel", "reconstruction"),
            (model.lyrics, "lyrics", "has_lyrics", "reconstruction_lyrics"),
        ):
            p = torch.distributions.Normal(
                tower.decode(z), terms[error].clamp_min(MIN_VARIANCE).sqrt()
            )
            log_w += p.log_prob(batch[name]).sum(2) * batch[has]
    return (torch.logsumexp(log_w, 0) - math.log(n)).mean().item()


def log_mixture(prior: MixturePrior, z: Tensor) -> Tensor:
    """log p(z), (...,) for (..., latent_dim)."""
    components = torch.distributions.Normal(prior.means, torch.exp(0.5 * prior.logvars))
    log_joint = components.log_prob(z[..., None, :]).sum(-1)
    return torch.logsumexp(log_joint + torch.log_softmax(prior.weight_logits, 0), -1)


def test_the_posterior_is_the_product_of_the_experts_and_the_prior() -> None:
    model = shaken(build())
    batch = make_batch(torch.randn(1, AUDIO), torch.randn(1, LYRICS))
    with torch.no_grad():
        for tower in (model.audio, model.lyrics):
            tower.log_precision.zero_()  # wide experts, for samples of the prior to reach them
        mu, logvar = model.encode(batch, batch["has_mel"], batch["has_lyrics"])
        z = torch.randn(200_000, LATENT)
        weight = torch.zeros(len(z))
        for tower, name in ((model.audio, "audio"), (model.lyrics, "lyrics")):
            expert, width = tower.encode(batch[name])
            weight += torch.distributions.Normal(expert, (0.5 * width).exp()).log_prob(z).sum(1)
        weight = torch.softmax(weight, 0)[:, None]
        mean = (weight * z).sum(0)
        variance = (weight * (z - mean).square()).sum(0)
    torch.testing.assert_close(mu[0], mean, atol=0.03, rtol=0.0)
    torch.testing.assert_close(logvar[0].exp(), variance, atol=0.0, rtol=0.06)


def test_the_kl_is_never_below_that_from_the_mixture() -> None:
    prior = shaken(build(), 1.0).prior
    mu, logvar = torch.randn(1, LATENT), torch.full((1, LATENT), -0.5)
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    with torch.no_grad():
        z = q.sample((100_000,))[:, 0]
        exact = (q.log_prob(z).sum(1) - log_mixture(prior, z)).mean()
        n = 500
        found = prior.kl(mu.expand(n, -1), logvar.expand(n, -1), z[:n])
        excess = found.mean() - exact
        # E_q(z)[KL(γ ‖ p(c | z))], averaged over the samples that γ is of.
        log_gamma = prior.log_responsibilities(z[:n])
        gamma, expected = log_gamma.exp(), prior.log_responsibilities(z).mean(0)
        derived = ((gamma * log_gamma).sum(1) - gamma @ expected).mean()
    assert found.min() >= exact - 0.02
    assert excess.item() == pytest.approx(derived.item(), abs=0.03)


def test_the_bound_is_tight_where_the_posterior_is_exact() -> None:
    model, batch = linear_toy()
    assert bound(model, batch) == pytest.approx(exact_log_likelihood(model, batch), abs=0.03)


@pytest.mark.parametrize("size", [0.1, 0.3])
def test_the_bound_is_below_the_log_likelihood_where_experts_are_wrong(size: float) -> None:
    model, batch = linear_toy()
    for tower in (model.audio, model.lyrics):
        with torch.no_grad():
            weight = tower.expert.linear.weight
            weight.add_(size * torch.randn_like(weight))
    assert bound(model, batch) < exact_log_likelihood(model, batch) - 0.1


def test_the_bound_is_below_the_importance_sampled_log_likelihood_under_a_mixture() -> None:
    model = shaken(build(), 0.3)
    batch = random_batch(24)
    likelihood = importance_log_likelihood(model, batch)
    assert bound(model, batch, 100) < likelihood
    assert bound(model, without(batch, "audio"), 100) < importance_log_likelihood(
        model, without(batch, "audio")
    )


def test_paper_scale_averages_over_decoded_values_and_latent_dimensions() -> None:
    model, batch = shaken(build()), random_batch()
    with torch.no_grad():
        done = model(batch)
        terms = model.terms(batch, done, kl_weight=0.5, scale="paper")
    audio, lyrics = done.reconstruction.split((AUDIO, LYRICS), 1)
    heard = batch["has_mel"]
    errors = torch.cat(
        [(audio - batch["audio"])[heard].flatten(), (lyrics - batch["lyrics"]).flatten()]
    )
    expected = errors.square().mean() + 0.5 * terms["kl"] / LATENT
    torch.testing.assert_close(terms["loss"], expected)


def test_free_bits_are_paid_for_the_whole_latent() -> None:
    model, batch = build(n_components=1), without(random_batch(), "audio", "lyrics")
    terms = model.loss(batch, kl_weight=1.0, scale="paper", free_bits=2.0)
    assert terms["loss"].item() == pytest.approx(2.0)


def test_what_stands_for_a_missing_modality_has_no_effect() -> None:
    model, batch = shaken(build()), random_batch()
    other = {**batch, "audio": torch.where(batch["has_mel"][:, None], batch["audio"], math.nan)}
    torch.testing.assert_close(model.embed(other), model.embed(batch))
    torch.manual_seed(1)
    expected = model.loss(batch, kl_weight=1.0, scale="elbo")
    torch.manual_seed(1)
    found = model.loss(other, kl_weight=1.0, scale="elbo")
    torch.testing.assert_close(found, expected)


def test_a_row_without_either_modality_is_the_prior_and_has_no_loss() -> None:
    model, batch = shaken(build()), without(random_batch(), "audio", "lyrics")
    mu, logvar = model.encode(batch, batch["has_mel"], batch["has_lyrics"])
    assert not mu.any()
    assert not logvar.any()
    terms = model.loss(batch, kl_weight=1.0, scale="elbo")
    assert {name: value.item() for name, value in terms.items()} == dict.fromkeys(terms, 0.0)


def test_hidden_modalities_are_neither_read_nor_decoded() -> None:
    model = shaken(build(modality_dropout=1.0)).train()
    done = model(random_batch(200))
    heard, read = done.extra["heard"], done.extra["read"]
    assert (heard ^ read).all()
    assert 0.3 < heard.float().mean() < 0.7
    batch = random_batch(200)
    changed = {**batch, "audio": batch["audio"] + (~heard)[:, None]}
    terms = [model.terms(x, done, kl_weight=1.0, scale="elbo") for x in (batch, changed)]
    torch.testing.assert_close(terms[0], terms[1])


def test_units_of_a_modality_change_nothing() -> None:
    batch = random_batch(64)
    scaled = {**batch, "audio": batch["audio"] * 1000.0}
    found = []
    for one in (batch, scaled):
        model = build().eval()
        model.begin(lambda one=one: [one])
        found.append(model.embed(one))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


def test_dimensions_with_units_of_their_own_are_scaled_one_by_one() -> None:
    batch = random_batch(64)
    units = torch.logspace(-2, 2, AUDIO)
    scaled = {**batch, "audio": batch["audio"] * units}
    found = []
    for one in (batch, scaled):
        model = build(spec=replace(SPEC, one_unit=("lyrics",))).eval()
        model.begin(lambda one=one: [one])
        found.append(model.embed(one))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


# --- training --------------------------------------------------------------------------------


def train(
    model: Architecture, batch: Batch, *, pretrain: int, joint: int, scale: Scale = "elbo"
) -> Architecture:
    """Epochs of batches of 64 rows, as the training of the pipeline calls a model."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    n = len(batch["row"])

    def latents() -> np.ndarray:
        model.eval()
        with torch.no_grad():
            embedded: np.ndarray = model.embed(batch).numpy()
        model.train()
        return embedded

    model.begin(lambda: [batch])
    model.train()
    for epoch in range(pretrain + joint):
        model.pretraining = epoch < pretrain
        if epoch == pretrain:
            model.start_joint_training(latents(), seed=0)
        if epoch >= pretrain:
            model.start_epoch(epoch, np.arange(n), latents)
        kl_weight = min(1.0, max(0.0, (epoch - pretrain) / 5))
        for rows in torch.randperm(n).split(64):
            some = {name: values[rows] for name, values in batch.items()}
            optimizer.zero_grad()
            model.loss(some, kl_weight=kl_weight, scale=scale)["loss"].backward()
            optimizer.step()
    return model.eval()


def songs_in_groups(n: int = 400) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Songs of three genres in four languages, a quarter of them without audio."""
    random = np.random.default_rng(0)
    genre, language = random.integers(3, size=n), random.integers(4, size=n)
    audio = 2.0 * random.normal(size=(3, AUDIO))[genre] + random.normal(size=(n, AUDIO))
    lyrics = 2.0 * random.normal(size=(4, LYRICS))[language] + random.normal(size=(n, LYRICS))
    heard = torch.tensor(random.random(n) >= 0.25)
    vectors = (torch.tensor(values, dtype=torch.float32) for values in (audio, lyrics))
    return make_batch(*vectors, heard), genre, language


@pytest.fixture(scope="module")
def trained() -> Architecture:
    torch.manual_seed(0)
    model = Architecture(SPEC, 10, n_components=12)
    return train(model, songs_in_groups()[0], pretrain=20, joint=30)


def test_components_are_the_groups_of_songs_that_have_both(trained: Architecture) -> None:
    batch, genre, language = songs_in_groups()
    heard = batch["has_mel"].numpy()
    found = trained.assign(batch).numpy()
    assert normalized_mutual_info_score((4 * genre + language)[heard], found[heard]) > 0.9


def test_songs_with_lyrics_alone_join_components_of_their_language(trained: Architecture) -> None:
    batch, _, language = songs_in_groups()
    heard = batch["has_mel"].numpy()
    found = trained.assign(batch).numpy()
    language_of = {
        c: np.bincount(language[heard & (found == c)]).argmax() for c in set(found[heard])
    }
    right = [language_of.get(c) == spoken for c, spoken in zip(found, language, strict=True)]
    assert np.mean(np.array(right)[~heard]) > 0.9


def test_samples_of_a_component_are_nearest_to_its_own_songs(trained: Architecture) -> None:
    batch, _, _ = songs_in_groups()
    both = batch["has_mel"]
    found = trained.assign(batch)[both]
    songs = torch.cat([batch["audio"], batch["lyrics"]], 1)[both]
    centroids = torch.stack([songs[found == c].mean(0) for c in range(12)])
    right = []
    for component in range(12):
        sampled = trained.sample(component, 50, seed=0)
        distances = torch.cdist(torch.cat([sampled["audio"], sampled["lyrics"]], 1), centroids)
        right.append((distances.argmin(1) == component).float().mean().item())
    assert min(right) > 0.6
    assert np.mean(right) > 0.9


def test_a_seed_gives_the_same_samples(trained: Architecture) -> None:
    first, again, other = (trained.sample(0, 5, seed=seed)["audio"] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_paper_scale_trains_too() -> None:
    batch, _, _ = songs_in_groups(64)
    model = train(build(), batch, pretrain=2, joint=2, scale="paper")
    assert model.embed(batch).isfinite().all()


def test_the_mixture_is_fitted_to_songs_that_have_both() -> None:
    batch, _, _ = songs_in_groups()
    model = build()
    model.begin(lambda: [batch])
    latents = model.embed(batch).detach().numpy()
    changed = np.where(batch["has_mel"].numpy()[:, None], latents, 100.0)
    model.start_joint_training(changed, seed=0)
    assert model.prior.means.abs().max() < 50.0


def test_where_few_songs_have_both_the_commonest_kind_is_fitted() -> None:
    batch = make_batch(
        torch.randn(40, AUDIO), torch.randn(40, LYRICS), torch.arange(40) < 14
    )  # 14 < 5 songs for each of three components
    model = build()
    model.begin(lambda: [batch])
    latents = np.where(batch["has_mel"].numpy()[:, None], 100.0, np.zeros((40, LATENT)))
    model.start_joint_training(latents, seed=0)
    assert model.prior.means.abs().max() == 0.0
    # Without audio its half of a posterior is as wide as N(0, I); components are as wide as that.
    variances = model.prior.logvars.detach().exp()
    assert (variances[:, : LATENT // 2] > 0.9).all()
    assert (variances[:, LATENT // 2 :] < 0.1).all()


def test_which_songs_have_both_outlasts_an_interruption() -> None:
    model, batch = build(), random_batch()
    model.begin(lambda: [batch])
    resumed = build()
    resumed.resume(model.progress())
    assert resumed.kinds == model.kinds == {row: 2 + (row % 4 > 0) for row in range(12)}
    resumed.resume(build().progress())
    assert resumed.kinds == {}


def test_an_empty_component_is_restarted() -> None:
    batch, _, _ = songs_in_groups(120)
    model = train(build(), batch, pretrain=1, joint=1)
    with torch.no_grad():
        model.prior.means[1] = 1e3
    model.prior.mass.zero_()
    model.train()
    model.loss(batch, kl_weight=1.0, scale="elbo")
    model.start_epoch(2, np.arange(120), lambda: model.embed(batch).detach().numpy())
    assert model.prior.means.abs().max() < 100.0


HOSTILE = {
    "one row": random_batch(1),
    "one row of both": make_batch(torch.randn(1, AUDIO), torch.randn(1, LYRICS)),
    "constant": make_batch(torch.full((20, AUDIO), 3.0), torch.randn(20, LYRICS)),
    "all constant": make_batch(torch.full((20, AUDIO), 3.0), torch.full((20, LYRICS), -1.0)),
    "fewer rows than components": random_batch(2),
    "no audio": without(random_batch(), "audio"),
    "no lyrics": without(random_batch(), "lyrics"),
    "neither": without(random_batch(), "audio", "lyrics"),
    "neither of some": {
        **random_batch(),
        "has_mel": torch.arange(12) < 6,
        "has_lyrics": torch.arange(12) % 2 > 0,
    },
}


@pytest.mark.parametrize("batch", HOSTILE.values(), ids=HOSTILE.keys())
def test_odd_corpora_train_to_finite_latents_and_components(batch: Batch) -> None:
    model = train(build(), batch, pretrain=3, joint=8)
    assert model.embed(batch).isfinite().all()
    assert model.assign(batch).shape == batch["row"].shape
    terms = model.loss(batch, kl_weight=1.0, scale="elbo")
    assert all(value.isfinite() for value in terms.values())
    assert all(values.isfinite().all() for values in model.sample(0, 4, seed=0).values())


def test_a_perfect_reconstruction_has_a_finite_loss() -> None:
    model = build(modality_dropout=0.0).train()
    model.pretraining = True
    batch = make_batch(torch.zeros(3, AUDIO), torch.zeros(3, LYRICS))
    model.begin(lambda: [batch])
    loss = model.loss(batch, kl_weight=1.0, scale="elbo")["loss"]
    assert loss.item() == pytest.approx(0.5 * (math.log(2 * math.pi * MIN_VARIANCE) + 1.0))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"n_components": 0}, "n_components"),
        ({"pretrain_epochs": 0}, "pretrain_epochs"),
        ({"width": 0}, "width"),
        ({"modality_dropout": 1.5}, "modality_dropout"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        build(**options)


def test_a_model_that_does_not_read_both_is_refused() -> None:
    with pytest.raises(ConfigError, match="reads"):
        Architecture(InputSpec(1, 1, lyrics_dim=0, max_lines=1, audio_dim=AUDIO), LATENT)


def test_a_component_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="from 0 to 2"):
        build().sample(3, 1, seed=0)


def test_one_latent_dimension_is_enough() -> None:
    torch.manual_seed(0)
    batch = random_batch()
    model = train(Architecture(SPEC, 1, n_components=2), batch, pretrain=2, joint=2)
    assert model.embed(batch).shape == (12, 1)


def test_components_start_as_wide_as_one_another() -> None:
    batch, _, _ = songs_in_groups(120)
    model = build()
    model.begin(lambda: [batch])
    model.start_joint_training(model.embed(batch).detach().numpy(), seed=0)
    widths = model.prior.logvars.detach()
    assert (widths == widths[0]).all()
    assert widths[0].std() > 0.01
    assert (model.prior.means.std(0) > 0.01).any()
