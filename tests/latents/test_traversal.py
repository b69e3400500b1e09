"""Latent traversals: which dimensions move, how far, what is decoded, and the figure of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from songatlas import tables
from songatlas.latents.traverse import (
    NO_PRIOR,
    STEPS_SD,
    informative_dimensions,
    write_no_traversal,
    write_traversal,
)
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.registry import build
from songatlas.report.figures.reconstruction import Window
from songatlas.report.figures.save import save
from songatlas.report.figures.traversal import (
    Match,
    Traversal,
    names_of,
    no_traversal_figure,
    read_traversal,
    traversal_figure,
)
from songatlas.training.data import Windows

# Tiny layers: more threads only wait for one another.
torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)
RATE_HZ = 2.0
SONGS = 14


class Plain(VAE):
    """Encodes two numbers of the window, decodes to a constant picture of the third dimension."""

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        mel = batch["mel"][:, 0]
        zero = torch.zeros(len(mel))
        mu = torch.stack([zero, 10 * mel[:, 0, 0] + 5, mel[:, 5, 5]], dim=1)
        return mu, torch.log(torch.tensor([1.0, 4.0, 0.01])).expand_as(mu)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        pattern = torch.ones(len(z), 1, self.spec.n_mels, self.spec.n_frames)
        return pattern * z.sum(1)[:, None, None, None]


@pytest.fixture
def windows() -> Windows:
    n = 2 * SONGS
    mel = torch.randn(n, 16, 20, generator=torch.Generator().manual_seed(0)) * 10 - 40
    return Windows(
        window_ids=tuple(f"w{i}" for i in range(n)),
        track_ids=tuple(f"t{i // 2:02d}" for i in range(n)),
        splits=tuple("validation" if i // 2 == 3 else "train" for i in range(n)),
        mel=mel.half(),
    )


def test_dimensions_are_ordered_by_signal_to_noise_not_by_scale() -> None:
    rng = np.random.default_rng(0)
    mu = rng.standard_normal((5000, 3)) * [1.0, 100.0, 0.0]
    variance = np.tile([0.01, 1e6, 1.0], (5000, 1))
    dimensions, nats = informative_dimensions(mu, variance, 2)
    assert dimensions.tolist() == [0, 1]
    assert nats == pytest.approx([0.5 * np.log(101), 0.5 * np.log(1.01)], rel=0.05)


def test_one_dimension_moves_by_its_own_deviation_and_the_others_stay(
    tmp_path: Path, windows: Windows
) -> None:
    model = Plain(SPEC, 3).eval()
    path = tmp_path / "traversal.parquet"
    write_traversal(model, windows, path, name="plain", frame_rate_hz=RATE_HZ)
    found = read_traversal(path)
    assert isinstance(found, Traversal)
    assert found.window_id == "w6"  # the first validation window
    assert found.tiles.shape == (3, 7, 16, 20)
    assert found.dimensions[-1] == 0  # carries nothing
    assert found.nats[-1] == 0.0
    mu, logvar = model.encode({"mel": prepared(windows)})
    for at, dimension in enumerate(found.dimensions):
        spread = mu[:, dimension].var(correction=0) + logvar[:, dimension].exp().mean()
        others = mu[6].sum() - mu[6, dimension]
        expected = others + mu[:, dimension].mean() + torch.tensor(STEPS_SD) * spread.sqrt()
        assert torch.allclose(torch.tensor(found.tiles[at, :, 0, 0]), expected, rtol=1e-3)
        assert np.ptp(found.tiles[at], axis=(1, 2)).max() == 0


def prepared(windows: Windows) -> Tensor:
    from songatlas.features.audio.standardise import standardise

    return standardise(windows.mel).unsqueeze(1)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("conv_vae", {}),
        ("vade", {"widths": (16, 8), "n_components": 3}),
        ("cvae", {"condition_on": "genre", "n_classes": 2}),
    ],
)
def test_every_variational_model_can_be_traversed_the_same_way_twice(
    tmp_path: Path, windows: Windows, architecture: str, options: dict
) -> None:
    torch.manual_seed(0)
    model = build(architecture, SPEC, 8, options).eval()
    labelled = Windows(**{**vars(windows), "label": torch.zeros(len(windows), dtype=torch.int64)})
    paths = [tmp_path / f"{i}.parquet" for i in range(2)]
    for path in paths:
        write_traversal(model, labelled, path, name="m", frame_rate_hz=RATE_HZ)
    first, second = map(read_traversal, paths)
    assert isinstance(first, Traversal)
    assert isinstance(second, Traversal)
    assert np.array_equal(first.tiles, second.tiles)
    assert first.tiles.shape == (6, 7, 16, 20)
    assert np.isfinite(first.tiles).all()
    assert set(first.attributes) == {"tempo", "brightness", "loudness"}
    assert first.songs == SONGS


def test_a_model_without_a_prior_says_so(tmp_path: Path, windows: Windows) -> None:
    path = tmp_path / "traversal.parquet"
    write_traversal(build("autoencoder", SPEC, 8, {}), windows, path, name="m", frame_rate_hz=1.0)
    assert read_traversal(path) == NO_PRIOR
    write_no_traversal(path, SPEC, name="m", note="not trained: no window")
    assert read_traversal(path) == "not trained: no window"


# --- the figure --------------------------------------------------------------------------------


def a_traversal() -> Traversal:
    rng = np.random.default_rng(0)
    attributes = {"brightness": [0.95, 0.1], "tempo": [None, None]}
    return Traversal(
        "w", rng.standard_normal((2, 7, 16, 20)), (4, 1), (2.0, 0.5), STEPS_SD, attributes, SONGS
    )


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_rows_are_named_after_what_they_follow() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((SONGS, 6))
    ids = [f"t{i:02d}" for i in range(SONGS)]
    labels = tables.empty(tables.LABELS).reindex(range(SONGS))
    labels = labels.assign(track_id=ids, factor_swing=np.exp(z[:, 1]), language=None)
    latents = tables.latents_frame("song", None, ids, ["train"] * SONGS, z)
    first, second = names_of(a_traversal(), latents.sample(frac=1, random_state=0), labels)
    assert first is not None
    assert (first.name, first.effect) == ("brightness", 0.95)
    assert second is not None
    assert (second.name, second.effect) == ("swing", pytest.approx(1.0))
    shuffled = labels.assign(factor_swing=rng.permutation(z[:, 2]))
    assert names_of(a_traversal(), latents, shuffled)[1] is None


def test_figure_shows_dimensions_steps_and_names(tmp_path: Path) -> None:
    match = Match("tempo_bpm", -0.81, 1e-9, False)
    window = Window("$ong — Ártist", 7.5)
    figure = traversal_figure(
        a_traversal(), [match, None], model="vae", window=window, corpus_name="A corpus"
    )
    said = words(figure)
    assert "dimension 4\n2.00 nats\ntempo_bpm\n(ρ −0.81)" in said
    assert "dimension 1\n0.50 nats" in said
    assert {"−3", "0", "+3", "+3 less −3"} <= set(said)
    images = [image for ax in figure.axes for image in ax.get_images()]
    assert len(images) == 2 * 8
    assert np.array_equal(images[0].get_array(), a_traversal().tiles[0, 0])
    save(figure, tmp_path / "f.svg", tmp_path / "f.png", dpi=60, title="t")
    assert (tmp_path / "f.png").stat().st_size > 3000


def test_a_page_says_why_there_is_nothing() -> None:
    figure = no_traversal_figure("not trained: no window", model="vae", corpus_name="A corpus")
    assert any("not trained: no window" in text for text in words(figure))
