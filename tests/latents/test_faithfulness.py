"""Whether a map keeps the neighbours of the latent space."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from songatlas.latents import faithfulness as measured
from songatlas.latents.faithfulness import faithfulness, mean_values


def latents(n: int = 90, d: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d))


@pytest.mark.parametrize("k", [5, 15, 30])
def test_values_are_scikit_learns(k: int) -> None:
    z = latents()
    [found] = faithfulness(z, z[:, :2], [k])
    assert found.trustworthiness.mean() == pytest.approx(
        trustworthiness(z, z[:, :2], n_neighbors=k)
    )
    assert found.continuity.mean() == pytest.approx(trustworthiness(z[:, :2], z, n_neighbors=k))


def test_a_map_that_keeps_all_neighbours_is_faithful_at_every_point() -> None:
    z = latents(d=2)
    for found in faithfulness(z, 3.0 * z + 1.0):
        assert (found.trustworthiness == 1.0).all()
        assert (found.continuity == 1.0).all()


def test_a_song_that_was_put_among_strangers_is_told() -> None:
    z = latents(d=2)
    points = z.copy()
    z[7] += 50.0  # far from all in the latent space, in their middle on the map
    for found in faithfulness(z, points, [5]):
        assert found.continuity.argmin() == 7 or found.trustworthiness.argmin() == 7


def test_few_points_have_no_value_and_many_are_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    z = latents(20)
    assert set(mean_values(z, z[:, :2], 0)["continuity"]) == {"5"}
    assert mean_values(z[:3], z[:3, :2], 0) == {"trustworthiness": {}, "continuity": {}}
    assert mean_values(z[:0], z[:0, :2], 0) == {"trustworthiness": {}, "continuity": {}}
    many = latents(300)
    every = mean_values(many, many[:, :2], 0)["trustworthiness"]["15"]
    monkeypatch.setattr(measured, "MEASURED", 100)
    assert mean_values(many, many[:, :2], 0)["trustworthiness"]["15"] == pytest.approx(
        every, abs=0.03
    )
