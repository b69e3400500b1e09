"""The bill: hours and bytes of a collection from measured rates."""

import json
from pathlib import Path

import pytest

from conftest import ROOT
from songatlas.errors import SongatlasError
from songatlas.report.cost import Rates, cost, main, read_rates

RATES = Rates(
    device="cpu",
    windows_per_song=10.0,
    hop_s=20.0,
    train_windows_per_s=100.0,
    embed_windows_per_s=200.0,
    features_windows_per_s=50.0,
    bytes_per_window=300_000.0,
    latent_bytes_per_window=500.0,
)


def test_hours_and_bytes_follow_the_formula() -> None:
    found = cost(RATES, 3600, epochs=5, models=2)
    assert found.windows == 36_000
    assert found.training_hours == pytest.approx(36_000 * 5 * 2 / 100 / 3600)
    assert found.embedding_hours == pytest.approx(36_000 * 2 / 200 / 3600)
    assert found.feature_core_hours == pytest.approx(36_000 / 50 / 3600)
    assert found.feature_bytes == pytest.approx(36_000 * 300_000)
    assert found.latent_bytes == pytest.approx(36_000 * 2 * 500)


def test_a_faster_device_shortens_what_runs_on_it_alone() -> None:
    slow, fast = cost(RATES, 100, epochs=5), cost(RATES, 100, epochs=5, speedup=10)
    assert fast.training_hours == pytest.approx(slow.training_hours / 10)
    assert fast.feature_core_hours == slow.feature_core_hours
    assert fast.feature_bytes == slow.feature_bytes


def test_what_was_not_measured_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({"windows_per_song": 10, "rates": {"device": "cpu"}}))
    with pytest.raises(SongatlasError, match=r"'hop_s' was not measured; run tests/benchmarks"):
        read_rates(path, "conv_vae")


def test_the_table_is_printed_from_the_measured_file(capsys: pytest.CaptureFixture) -> None:
    main([str(ROOT / "docs" / "scaling.json"), "--songs", "1000", "2000"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][2:]
    windows = [float(row.split("|")[2].replace(",", "")) for row in rows]
    assert windows[1] == pytest.approx(2 * windows[0], abs=1)
