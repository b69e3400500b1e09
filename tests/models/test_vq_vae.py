"""Vector-quantised VAE: the codebook, and songs as histograms of codes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.models.quantiser import Quantiser, perplexity

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=21, lyrics_dim=6, max_lines=3)


def quantiser(n_codes: int = 3, *, decay: float = 0.5, threshold: float = 0.0) -> Quantiser:
    torch.manual_seed(0)
    found = Quantiser(n_codes, 2, ema_decay=decay, restart_threshold=threshold)
    found.codebook.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])[:n_codes])
    found.sums.copy_(found.codebook)
    found.initialised.fill_(True)
    return found


def model(**options: Any) -> Any:
    torch.manual_seed(0)
    return registry.build("vq_vae", SPEC, 8, {"width": 16, "code_dim": 4, **options})


def batch(n: int = 6, seed: int = 0) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {"mel": torch.randn(n, 1, SPEC.n_mels, SPEC.n_frames, generator=random)}


def test_nearest_code_is_picked() -> None:
    found = quantiser().eval()(torch.tensor([[9.0, 1.0], [1.0, 0.0], [1.0, 8.0]]))
    assert found.codes.tolist() == [1, 0, 2]
    assert found.values.tolist() == [[10.0, 0.0], [0.0, 0.0], [0.0, 10.0]]
    assert float(found.commitment) == pytest.approx((1 + 1 + 1 + 1 + 4) / 6)


def test_gradient_passes_straight_through() -> None:
    vectors = torch.tensor([[9.0, 1.0], [1.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    (quantiser()(vectors).values * weight).sum().backward()
    assert torch.equal(vectors.grad, weight)


def test_codes_move_to_the_mean_of_their_vectors() -> None:
    moving, vectors = quantiser(), torch.tensor([[8.0, 1.0], [12.0, 3.0], [0.0, 1.0], [0.0, 9.0]])
    moving(vectors)
    # One step at decay ½: the mean of the code (one vector's worth) and of its two vectors.
    torch.testing.assert_close(moving.codebook[1], torch.tensor([(10.0 + 20.0) / 3, 4.0 / 3]))
    for _ in range(40):
        moving(vectors)
    means = torch.tensor([[0.0, 1.0], [10.0, 2.0], [0.0, 9.0]])
    torch.testing.assert_close(moving.codebook, means)


def test_eval_mode_changes_nothing() -> None:
    still = quantiser(threshold=1.0).eval()
    before = {name: values.clone() for name, values in still.state_dict().items()}
    still(torch.randn(20, 2))
    assert all(torch.equal(values, before[name]) for name, values in still.state_dict().items())


def test_dead_code_restarts_on_a_vector_of_the_batch() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [9.0, 0.0], [10.0, 1.0]])
    restarted, left = quantiser(threshold=1.0), quantiser(threshold=0.0)
    restarted(vectors)
    left(vectors)
    assert any(torch.equal(restarted.codebook[2], vector) for vector in vectors)
    assert left.codebook[2].tolist() == [0.0, 10.0]


def test_first_batch_sets_the_codebook_by_k_means() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [50.0, 0.0]])
    vectors = centres.repeat(50, 1) + torch.randn(100, 2)
    fresh = Quantiser(2, 2, ema_decay=0.99, restart_threshold=1.0)
    fresh(vectors)
    assert bool(fresh.initialised)
    found = fresh.codebook[fresh.codebook[:, 0].argsort()]
    torch.testing.assert_close(found, centres, atol=0.5, rtol=0.0)


def test_fewer_vectors_than_codes_give_distinct_codes() -> None:
    torch.manual_seed(0)
    fresh = Quantiser(8, 2, ema_decay=0.9, restart_threshold=1.0)
    assert fresh(torch.randn(3, 2)).values.isfinite().all()
    assert len(fresh.codebook.unique(dim=0)) == 8


def test_perplexity_counts_equally_frequent_codes() -> None:
    effective, used = perplexity(torch.tensor([[0, 1], [2, 3]]), 8)
    assert float(effective) == pytest.approx(4.0)
    assert float(used) == 4.0


def test_histograms_sum_to_one_and_vectors_have_length_one() -> None:
    trained = model().eval()
    torch.testing.assert_close(trained.summarise(batch()).sum(1), torch.ones(6))
    torch.testing.assert_close(trained.embed(batch()).norm(dim=1), torch.ones(6))


def test_song_is_the_histogram_of_all_its_codes() -> None:
    trained = model().eval()
    counts = torch.bincount(trained.codes(batch()).flatten(), minlength=8).float()
    song = trained.embed_song(trained.summarise(batch()))
    torch.testing.assert_close(song, (counts / counts.sum()).sqrt())


def test_reconstruction_of_eval_mode_is_that_of_the_codes() -> None:
    trained = model().eval()
    shown = trained.reconstruct(batch())
    assert shown.shape == batch()["mel"].shape
    torch.testing.assert_close(shown, trained(batch()).reconstruction)


def test_codebook_survives_saving() -> None:
    trained, other = model(), model()
    trained(batch())
    other.load_state_dict(trained.state_dict())
    assert bool(other.quantiser.initialised)
    assert torch.equal(other.eval().embed(batch(seed=1)), trained.eval().embed(batch(seed=1)))


def test_bfloat16_autocast_is_finite() -> None:
    trained = model()
    with torch.autocast("cpu", torch.bfloat16):
        terms = trained.loss(batch(), kl_weight=0.0, scale="elbo")
    terms["loss"].backward()
    assert all(p.grad.isfinite().all() for p in trained.parameters())
    assert trained.quantiser.codebook.dtype == torch.float32


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_codes", 1),
        ("code_dim", 0),
        ("ema_decay", 1.0),
        ("restart_threshold", -1.0),
        ("commitment", -0.1),
        ("width", 1),
        ("n_halvings", 5),
        ("dropout", 1.0),
    ],
)
def test_options_out_of_range_name_their_key(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{key}:"):
        model(**{key: value})
