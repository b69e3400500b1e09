"""The contrastive encoder and its loss."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.models.contrastive_audio import nt_xent, within_song_whitener
from songatlas.training.data import Batches, Windows, prepare

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=0, max_lines=0)


def make_windows(n_songs: int = 6, per_song: int = 4) -> Windows:
    """Songs with a spectral envelope of their own."""
    rng = np.random.default_rng(0)
    n = n_songs * per_song
    envelope = rng.normal(scale=8.0, size=(n_songs, SPEC.n_mels, 1)).repeat(per_song, 0)
    mel = envelope + rng.normal(scale=6.0, size=(n, SPEC.n_mels, SPEC.n_frames)) - 40.0
    return Windows(
        tuple(f"w{i}" for i in range(n)),
        tuple(f"t{i // per_song}" for i in range(n)),
        ("train",) * n,
        torch.tensor(mel).half(),
    )


def test_nt_xent_of_two_pairs_by_hand() -> None:
    one, other = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    loss, accuracy = nt_xent(one, other, 0.5)
    # The partner has similarity 1, both negatives 0.
    assert float(loss) == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)), abs=1e-6)
    assert float(accuracy) == 1.0


def test_windows_of_the_same_song_are_no_negatives() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(3, 4), torch.randn(3, 4)
    alone, _ = nt_xent(one, other, 0.2, torch.zeros(3, dtype=torch.int64))
    assert float(alone) == pytest.approx(0.0, abs=1e-6)  # nothing but the partner is left
    apart, _ = nt_xent(one, other, 0.2, torch.arange(3))
    torch.testing.assert_close(apart, nt_xent(one, other, 0.2)[0])


def test_the_loss_does_not_depend_on_lengths_or_on_the_order_of_the_towers() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(5, 4), torch.randn(5, 4)
    loss = nt_xent(one, other, 0.3)[0]
    torch.testing.assert_close(nt_xent(7.0 * one, other, 0.3)[0], loss)
    torch.testing.assert_close(nt_xent(other, one, 0.3)[0], loss)


@pytest.mark.parametrize("positives", ["song", "augmentation", "both"])
def test_training_brings_the_windows_of_a_song_together(positives: str) -> None:
    windows = make_windows()
    torch.manual_seed(0)
    model = registry.build(
        "contrastive_audio", SPEC, 16, {"positives": positives, "channels": [8, 16]}
    )
    rows = np.arange(len(windows))

    def separation() -> float:
        z = F.normalize(model.eval().embed(prepare(windows.batch(rows))), dim=1)
        z = F.normalize(z - z.mean(0), dim=1)
        same = torch.as_tensor(windows.track[:, None] == windows.track[None])
        similarity = z @ z.T
        return float(similarity[same].mean() - similarity[~same].mean())

    before = separation()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = Batches(windows, rows, 24, seed=0, pairs=model.pairs)
    model.train()
    for epoch in range(25):
        batches.epoch = epoch
        for batch in batches:
            terms = model.loss(prepare(batch), kl_weight=1.0, scale="elbo")
            optimizer.zero_grad()
            terms["loss"].backward()
            optimizer.step()
    assert separation() > before + 0.02


def test_whitening_shrinks_what_differs_within_songs() -> None:
    rng = np.random.default_rng(0)
    track = torch.arange(200) // 4
    song = rng.normal(size=(50, 3)).repeat(4, 0)
    z = song + rng.normal(size=(200, 3)) * np.array([3.0, 0.1, 0.1])
    whitener = within_song_whitener(torch.tensor(z), track, 1e-6)
    white = torch.tensor(z) @ whitener
    means = torch.zeros(50, 3, dtype=white.dtype).index_add_(0, track, white) / 4
    within = torch.cov((white - means[track]).T, correction=0)
    torch.testing.assert_close(within / within[0, 0], torch.eye(3).double(), atol=1e-3, rtol=0.0)
    assert torch.equal(within_song_whitener(torch.tensor(z), track, 1.0), torch.eye(3).double())
    alone = within_song_whitener(torch.tensor(z), torch.arange(200), 0.1)
    assert torch.equal(alone, torch.eye(3).double())


def test_joined_descriptors_weigh_as_much_as_the_encoder() -> None:
    windows = make_windows()
    rng = np.random.default_rng(1)
    windows = replace(windows, descriptors=torch.tensor(rng.normal(5.0, 100.0, (24, 40))).float())
    spec = replace(SPEC, descriptors_dim=40)
    model = registry.build(
        "contrastive_audio", spec, 8, {"channels": [8], "join": "descriptors"}
    ).eval()
    batches = Batches(windows, np.arange(24), 7)
    with torch.no_grad():
        model.finish(lambda: (prepare(batch) for batch in batches))
        z = model.embed(prepare(windows.batch(np.arange(24))))
    assert z.shape == (24, 48)
    variance = z.var(0, correction=0)
    assert float(variance[:8].sum()) == pytest.approx(1.0, abs=1e-3)
    assert float(variance[8:].sum()) == pytest.approx(1.0, abs=1e-3)
    assert float(z.mean(0).abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("options", "latent_dim", "message"),
    [
        ({}, 9, "even"),
        ({"temperature": 0.0}, 8, "temperature"),
        ({"channels": [3]}, 8, "channels"),
        ({"whitening": 0.0}, 8, "whitening"),
    ],
)
def test_impossible_options_are_refused(options: dict, latent_dim: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.build("contrastive_audio", SPEC, latent_dim, options)
