"""What stays on a card, what goes to it, and what happens where its memory ends."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))

from gpu_corpus import SMALL, Variant, every_architecture, make_windows, started, windows_of
from songatlas.config.training import Loss
from songatlas.latents.embed import write_latents
from songatlas.models.base import Model
from songatlas.training import data, fit, schedule
from songatlas.training.data import Batches, Windows, prepare
from songatlas.training.device import embedding_precision
from songatlas.training.module import Epoch, TrainingModule
from songatlas.training.schedule import Best, Schedule
from test_parts import SETTINGS
from test_training import make_windows as tiny_windows
from test_training import run

torch.set_num_threads(1)

VARIANTS = list(every_architecture(SMALL))
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


# --- the best weights --------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "where"), [(1e9, "meta"), (100.0, "cpu")])
def test_the_best_weights_stay_on_the_card_where_it_has_room(
    monkeypatch: pytest.MonkeyPatch, free: float, where: str
) -> None:
    monkeypatch.setattr(schedule, "free_bytes", lambda device: free)
    state = nn.Linear(8, 8, device="meta").state_dict()
    assert {tensor.device.type for tensor in schedule._room_for(state).values()} == {where}


def test_the_best_weights_are_copied_into_one_place() -> None:
    best, model = Best(3, Schedule(0, 0, 5, 1.0)), nn.Linear(2, 2)
    best.update(0, 1.0, model)
    place = best.weights["weight"].data_ptr()
    with torch.no_grad():
        model.weight += 1.0
    best.update(1, 2.0, model)
    assert not torch.equal(best.weights["weight"], model.weight)
    best.update(2, 0.5, model)
    assert torch.equal(best.weights["weight"], model.weight)
    assert best.weights["weight"].data_ptr() == place != model.weight.data_ptr()
    assert not best.give_way(), "they are in main memory already"


def test_best_weights_give_way_before_batches_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(Best, "give_way", lambda self: next(answers))
    raised = iter([FULL, FULL])
    whole = TrainingModule.backwards

    def backwards(self: TrainingModule, loss: Tensor) -> None:
        if error := next(raised, None):
            raise error
        whole(self, loss)

    monkeypatch.setattr(TrainingModule, "backwards", backwards)
    trained = run(tiny_windows(16, 8), "basic_vae", SETTINGS)
    assert "in parts of at most 4;" in trained.summary.batch_note, "halved once, not twice"


# --- windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "moved"), [(1e12, True), (1e9, False)])
def test_windows_go_to_a_card_that_has_room(
    monkeypatch: pytest.MonkeyPatch, free: float, moved: bool
) -> None:
    monkeypatch.setattr(fit, "free_bytes", lambda device: free)
    monkeypatch.setattr(Windows, "to", lambda self, device: device)
    windows, model = tiny_windows(), nn.Linear(2, 2)
    assert (fit._near(windows, model, "cuda") == "cuda") is moved  # type: ignore[arg-type]
    assert fit._near(windows, model, "cpu") is windows  # type: ignore[arg-type]


def test_windows_above_the_limit_stay_in_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "free_bytes", lambda device: 1e12)
    monkeypatch.setattr(fit, "ON_GPU_BYTES", 0)
    windows = tiny_windows()
    assert fit._near(windows, nn.Linear(2, 2), "cuda") is windows  # type: ignore[arg-type]


def test_pinned_batches_are_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[int] = []

    def pin(self: Tensor) -> Tensor:
        pinned.append(self.nbytes)
        return self

    monkeypatch.setattr(Tensor, "pin_memory", pin)
    windows = tiny_windows()
    rows = windows.rows("train")
    plain = list(Batches(windows, rows, 4, 0, pairs=True))
    assert not pinned
    ready = list(Batches(windows, rows, 4, 0, pairs=True, pinned=True))
    assert len(pinned) == sum(map(len, ready))
    for one, other in zip(plain, ready, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_epoch_sends_its_order_to_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    as_tensor = torch.as_tensor

    def counted(values: Any, *args: Any, **kwargs: Any) -> Tensor:
        sent.extend([values] if isinstance(values, np.ndarray) else [])
        return as_tensor(values, *args, **kwargs)

    monkeypatch.setattr(data.torch, "as_tensor", counted)
    windows = tiny_windows(40, 8)
    counts = []
    for size in (20, 4):
        sent.clear()
        assert len(list(Batches(windows, windows.rows("train"), size, 0, whole_songs=True))) > 1
        counts.append(len(sent))
    assert counts[1] <= counts[0], "as many, however many batches there are"


# --- embedding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_window_is_encoded_once(variant: Variant) -> None:
    windows = windows_of(variant.description, make_windows(SMALL, 16))
    model = started(variant.description, windows).eval()
    calls: Counter[str] = Counter()
    for name, part in model.named_modules():
        if not list(part.children()):
            part.register_forward_hook(lambda *_, name=name: calls.update([name]))
    ready = prepare(windows.batch(np.arange(16)))
    with torch.no_grad():
        once = model.embed_once(ready)
        assert set(calls.values()) == {1}
        assert torch.equal(once.z, model.embed(ready))
        assert torch.equal(once.summary, model.summarise(ready))
        own = model.assign(ready)
    assert (own is None and once.cluster is None) or torch.equal(own, once.cluster)  # type: ignore[arg-type]


def test_embedding_on_a_cpu_is_in_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedding_precision("bf16-mixed", "cpu") == "32"
    assert embedding_precision("16-mixed", "cuda") == "16-mixed"
    assert embedding_precision("32", "cuda") == "32"
    windows = tiny_windows()
    trained = run(windows)
    model = trained.description.build().eval()
    model.load_state_dict(trained.weights)
    seen: set[torch.dtype] = set()
    model.mu.register_forward_hook(lambda *of: seen.add(of[2].dtype))  # type: ignore[union-attr]
    write_latents(model, windows, tmp_path / "a.parquet", name="a")
    assert seen == {torch.float32}
    write_latents(model, windows, tmp_path / "b.parquet", name="b", precision="bf16-mixed")
    assert seen == {torch.float32, torch.bfloat16}


def test_kernels_are_chosen_by_trial_unless_bits_count(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = torch.utils.deterministic
    monkeypatch.setattr(settings, "fill_uninitialized_memory", True)
    assert fit._kernels("cpu", True) == {}
    assert fit._kernels("cuda", False) == {"deterministic": False, "benchmark": True}
    assert fit._kernels("cuda", True) == {"deterministic": "warn", "benchmark": False}
    assert not settings.fill_uninitialized_memory


# --- where memory ends -------------------------------------------------------------------------


def masses(model: Model, batch: dict[str, Tensor], part_size: int | None) -> Tensor:
    """Whom the components have, after one step's gradients."""
    unused = Batches(tiny_windows(), np.arange(2), 2)
    module = TrainingModule(
        model, SETTINGS, Schedule(1, 1, 2, 1.0), Loss(), 0, unused, unused,
        validated=False, precision="32", resume=None, resume_every_s=1e9,
    )  # fmt: skip
    module.configure_optimizers()
    module.kl_weight, module.part_size = 1.0, part_size
    module.gradients(batch, module.rewinder())
    return model.prior.mass.clone()  # type: ignore[union-attr, operator]


def test_in_parts_a_mixture_still_counts_whom_its_components_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrainingModule, "backwards", lambda self, loss: loss.backward())
    (variant,) = [variant for variant in VARIANTS if variant.name == "vade"]
    windows = make_windows(SMALL, 8)
    batch = prepare(windows.batch(np.arange(8)))
    found = [masses(started(variant.description, windows), batch, size) for size in (None, 4)]
    assert [float(mass.sum()) for mass in found] == pytest.approx([8.0, 8.0])


def test_the_optimisers_first_step_is_tried_again_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, counted = torch.optim.AdamW.step, []
    add = Epoch.add

    def full_at_first(self: torch.optim.AdamW, closure: Any = None) -> Any:
        if not self.state and not counted:
            closure()
            counted.append("full")
            self.state[self.param_groups[0]["params"][0]]["step"] = torch.tensor(0.0)
            raise FULL
        return step(self, closure)

    n: list[int] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", full_at_first)
    monkeypatch.setattr(
        Epoch, "add", lambda self, track, *rest: (n.append(len(track)), add(self, track, *rest))
    )
    trained = run(tiny_windows(16, 0), "basic_vae", SETTINGS)
    assert counted == ["full"]
    assert "in parts of at most 4" in trained.summary.batch_note
    assert n == [8, 8] * SETTINGS.max_epochs, "no window counts twice"


def test_latents_are_computed_in_parts_where_they_do_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from songatlas.models.vade import Architecture

    embed = Architecture.embed

    def limited(self: Architecture, batch: dict[str, Tensor]) -> Tensor:
        if self.training or len(batch["row"]) <= 4 or not hasattr(self, "few"):
            return embed(self, batch)
        raise FULL

    latents = TrainingModule.latents

    def with_little(self: TrainingModule) -> np.ndarray:
        whole = latents(self)
        self.model.few = True
        found = latents(self)
        del self.model.few
        np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
        return found

    monkeypatch.setattr(Architecture, "embed", limited)
    monkeypatch.setattr(TrainingModule, "latents", with_little)
    options = {"n_components": 2, "pretrain_epochs": 1}
    trained = run(tiny_windows(16, 0), "vade", SETTINGS, options=options)
    assert "in parts of at most 4" in trained.summary.batch_note
