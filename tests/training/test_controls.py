"""Controls: what is dealt at random, what stays, and which declarations make sense."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import ROOT
from songatlas import tables
from songatlas.config.run import load
from songatlas.config.training import Loss, Training
from songatlas.config.yaml_files import load_yaml
from songatlas.errors import ConfigError
from songatlas.latents.embed import write_latents
from songatlas.models import registry
from songatlas.models.base import InputSpec
from songatlas.plan.workflow import Plan
from songatlas.report.figures.training_curves import read_run
from songatlas.training.control_notes import note
from songatlas.training.controls import controlled
from songatlas.training.data import Windows
from songatlas.training.fit import train
from songatlas.training.weights import Description, load_weights, save_weights

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)
N_SONGS, PER = 20, 4


def windows(songs_without_audio: int = 0) -> Windows:
    n = N_SONGS * PER
    tracks = [f"t{i // PER:02d}" for i in range(n)]
    tracks += [f"lyrics{i}" for i in range(songs_without_audio)]
    split = ["train"] * 14 + ["validation"] * 3 + ["test"] * 3
    splits = [split[i // PER] for i in range(n)] + ["validation"] * songs_without_audio
    label = [i // PER % 3 if i // PER % 5 else -1 for i in range(n)] + [2] * songs_without_audio
    generator = torch.Generator().manual_seed(0)
    return Windows(
        window_ids=tuple(f"w{i}" for i in range(len(tracks))),
        track_ids=tuple(tracks),
        splits=tuple(splits),
        mel=(torch.randn(n, 16, 20, generator=generator) * 10 - 40).half(),
        label=torch.tensor(label),
        classes=("a", "b", "c"),
    )


def by_song(of: Windows) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    assert of.label is not None
    for track, label in zip(of.track_ids, of.label.tolist(), strict=True):
        found.setdefault(track, set()).add(label)
    return found


def test_dealt_windows_keep_the_number_of_each_split_and_part_songs() -> None:
    before, after = windows(), controlled(windows(), "random_windows", 0)
    assert Counter(after.splits) == Counter(before.splits)
    splits = [set(after.splits[i * PER : (i + 1) * PER]) for i in range(N_SONGS)]
    assert sum(len(found) > 1 for found in splits) > N_SONGS / 2
    assert after.song_splits == before.splits
    assert after.track_ids == before.track_ids
    assert torch.equal(after.mel, before.mel)


def test_songs_without_audio_are_no_windows_and_stay_where_they_are() -> None:
    after = controlled(windows(songs_without_audio=5), "random_windows", 3)
    assert after.splits[-5:] == ("validation",) * 5
    assert Counter(after.splits[:-5]) == Counter(windows().splits)


def test_shuffled_labels_are_a_permutation_between_songs() -> None:
    before, after = by_song(windows()), by_song(controlled(windows(), "shuffled_labels", 0))
    assert all(len(labels) == 1 for labels in after.values())
    flat = [Counter(next(iter(of)) for of in found.values()) for found in (before, after)]
    assert flat[0] == flat[1]
    unknown = {track for track, of in before.items() if of == {-1}}
    assert {track for track, of in after.items() if of == {-1}} == unknown
    assert sum(before[track] != after[track] for track in before) > 4


@pytest.mark.parametrize("control", ["random_windows", "shuffled_labels"])
def test_a_deal_is_a_function_of_the_seed_or_of_nothing(control: str) -> None:
    def dealt(seed: int) -> tuple[object, list[int]]:
        of = controlled(windows(), control, seed)
        assert of.label is not None
        return of.splits, of.label.tolist()

    assert dealt(1) == dealt(1)
    # As songs are split once for all seeds, so are windows; labels are shuffled anew.
    assert (dealt(1) == dealt(2)) is (control == "random_windows")


def test_shuffled_labels_do_not_depend_on_the_order_of_windows() -> None:
    before = windows()
    order = np.random.default_rng(0).permutation(len(before))
    assert before.label is not None
    mixed = replace(
        before,
        track_ids=tuple(before.track_ids[i] for i in order),
        label=before.label[torch.from_numpy(order)],
    )
    same = by_song(controlled(before, "shuffled_labels", 0))
    assert by_song(controlled(mixed, "shuffled_labels", 0)) == same


def test_no_control_changes_nothing_and_an_unknown_one_is_refused() -> None:
    given = windows()
    assert controlled(given, "", 0) is given
    with pytest.raises(ValueError, match="unknown control"):
        controlled(given, "upside_down", 0)
    with pytest.raises(ValueError, match="shown no label"):
        controlled(replace(given, label=None), "shuffled_labels", 0)


def test_a_control_trains_and_says_so_in_its_weights_latents_and_summary(tmp_path: Path) -> None:
    options = {"condition_on": "genre", "n_classes": None, "dropout": 0.2}
    description = Description(
        "cvae", SPEC, 4, options, control="shuffled_labels", control_of="cvae_genre"
    )
    training, loss = Training(max_epochs=1, device="cpu"), Loss()
    dealt = controlled(windows(), "shuffled_labels", 0)
    done = train(dealt, description, training, loss, name="control", beta=1.0, seed=0)
    assert (done.summary.control, done.summary.control_of) == (
        "shuffled_labels",
        "cvae_genre",
    )
    assert done.summary.supervision == "none"
    save_weights(tmp_path / "w.ckpt", done.description, done.weights)
    model, again = load_weights(tmp_path / "w.ckpt")
    assert model is not None
    assert (again.control, again.control_of) == ("shuffled_labels", "cvae_genre")
    assert again.supervision == "none"
    assert replace(again, control="").supervision == "labels"
    write_latents(
        model,
        dealt,
        tmp_path / "z.parquet",
        name="control",
        supervision=again.supervision,
        note=note(again.control, again.control_of),
    )
    info = tables.read_metadata(tmp_path / "z.parquet")
    assert info["supervision"] == "none"
    assert info["note"] == "control of cvae_genre: labels shown to it permuted between songs"


@pytest.mark.parametrize("seed", [0, 3])
def test_an_untrained_control_has_the_weights_that_training_starts_with(
    seed: int, tmp_path: Path
) -> None:
    options = {"channels": [8], "join": "none"}
    description = Description(
        "contrastive_audio", SPEC, 8, options, control="untrained", control_of="contrastive"
    )
    given = replace(windows(), label=None)
    training, loss = Training(max_epochs=50, device="cpu"), Loss()
    arguments = {"beta": 1.0, "seed": seed, "name": "contrastive_untrained"}
    done = train(given, description, training, loss, **arguments)
    torch.manual_seed(seed)
    start = description.build()
    for name, parameter in start.named_parameters():
        assert torch.equal(done.weights[name], parameter)
    # What is measured after a training is measured here too: features have unit variance.
    assert not torch.equal(done.weights["transform"], start.get_buffer("transform"))
    plain, once = replace(description, control="", control_of=""), {"max_epochs": 1}
    trained = train(given, plain, training.model_copy(update=once), loss, **arguments)
    assert any(
        not torch.equal(trained.weights[name], parameter)
        for name, parameter in start.named_parameters()
    )
    assert (done.summary.epochs, done.summary.parameters) == (
        0,
        trained.summary.parameters,
    )
    assert done.history.empty
    assert done.summary.in_words() == "untrained: the control of contrastive"
    done.write(*(tmp_path / name for name in ("w.ckpt", "h.parquet", "s.json")))
    model, again = load_weights(tmp_path / "w.ckpt")
    assert model is not None
    write_latents(
        model, given, tmp_path / "z.parquet", name="m", note=note(again.control, "contrastive")
    )
    said = tables.read_metadata(tmp_path / "z.parquet")["note"]
    assert said.startswith("control of contrastive: untrained")
    run = read_run(tmp_path / "h.parquet", tmp_path / "s.json")
    assert run.why_untrained == "the control of contrastive"


def test_latents_of_dealt_windows_have_their_own_splits_and_songs_keep_theirs(
    tmp_path: Path,
) -> None:
    dealt = controlled(windows(), "random_windows", 0)
    model = Description("basic_vae", SPEC, 4, {"dropout": 0.2, "widths": [8]}).build().eval()
    write_latents(model, dealt, tmp_path / "z.parquet", name="m")
    found = tables.read(tmp_path / "z.parquet", tables.LATENTS)
    of_windows = found[found["level"] == "window"]
    assert tuple(of_windows["split"]) == dealt.splits
    songs = found[found["level"] == "song"].set_index("track_id")["split"]
    original = dict(zip(windows().track_ids, windows().splits, strict=True))
    assert songs.to_dict() == original


# --- declarations -------------------------------------------------------------------------------

CVAE = {"architecture": "cvae", "condition_on": "genre"}


def problems(models: dict, **more: object) -> str:
    with pytest.raises(ConfigError) as error:
        registry.check(load({"models": models, **more}))
    return str(error.value)


def test_a_control_is_paired_with_the_model_declared_the_same() -> None:
    models = {
        "other": {"architecture": "basic_vae", "beta": 2.0},
        "plain": {"architecture": "basic_vae"},
        "leaky": {"architecture": "basic_vae", "control": "random_windows"},
        "cvae": CVAE,
        "mixed": {**CVAE, "control": "shuffled_labels", "control_of": "cvae"},
    }
    loaded = load({"models": models})
    registry.check(loaded)
    assert loaded.controls == {
        "leaky": ("random_windows", "plain"),
        "mixed": ("shuffled_labels", "cvae"),
    }
    plan = Plan({"models": models, "seeds": [3, 4]})
    assert plan.leaky == {"leaky": "plain"}
    assert plan.leakage_branches == [("plain", 3), ("plain", 4), ("leaky", 3), ("leaky", 4)]


def test_a_control_takes_what_it_does_not_declare_from_the_model_that_it_names() -> None:
    model = {"architecture": "cvae", "beta": 2.0, "training": {"max_epochs": 3}, "change": "beta"}
    control = {"architecture": "cvae", "control": "untrained", "control_of": "first"}
    loaded = load({"models": {"start": control, "first": {**model, **CVAE}}})
    registry.check(loaded)
    start = loaded.models["start"]
    assert (start.beta, start.training, start.change) == (2.0, {"max_epochs": 3}, None)
    assert start.options == {"condition_on": "genre"}
    text = problems({"start": {**control, "beta": 1.0}, "first": {**model, **CVAE}})
    assert "`first` is another control or is declared otherwise" in text


def test_shuffled_labels_need_a_model_that_is_shown_a_label() -> None:
    plain = {"architecture": "basic_vae"}
    text = problems({"a": plain, "b": {**plain, "control": "shuffled_labels"}})
    assert "models.b.control: `shuffled_labels` needs a model that is shown a label" in text


def test_an_untrained_model_cannot_choose_its_number_of_components() -> None:
    vade = {"architecture": "vade", "reads": {"audio": "musicnn"}}
    models = {"vade": vade, "start": {**vade, "control": "untrained"}}
    assert "models.start.control: `untrained` cannot choose `n_components`" in problems(models)
    counted = {name: {**model, "n_components": 4} for name, model in models.items()}
    registry.check(load({"models": counted}))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"architecture": "basic_vae", "beta": 2.0, "control": "random_windows"}, "declared the"),
        (
            {"architecture": "conv_vae", "control": "random_windows", "control_of": "first"},
            "`first` is another control or is declared otherwise",
        ),
        (
            {"architecture": "basic_vae", "control": "random_windows", "control_of": "frist"},
            "did you mean `first`?",
        ),
        ({"architecture": "basic_vae", "control_of": "first"}, "`control` does not say which"),
        ({"architecture": "basic_vae", "control": "random"}, "random_windows"),
    ],
)
def test_a_control_of_nothing_stops_before_any_job(second: dict, said: str) -> None:
    assert said in problems({"first": {"architecture": "basic_vae"}, "second": second})


def test_a_control_without_its_model_is_refused() -> None:
    plain = {"architecture": "basic_vae"}
    models = {"plain": plain, "leaky": {**plain, "control": "random_windows"}}
    assert "is a control of `plain`, which is left out" in problems(models, include=["leaky"])


@pytest.mark.parametrize("architecture", registry.architectures())
def test_windows_of_every_architecture_can_be_dealt(architecture: str) -> None:
    options = {"condition_on": "genre"} if architecture == "cvae" else {}
    declared = {"architecture": architecture, **options}
    models = {"plain": declared, "leaky": {**declared, "control": "random_windows"}}
    registry.check(load({"models": models}))


def test_the_study_and_its_demo_run_the_same_models_and_controls() -> None:
    base = ROOT / "config" / "config.yaml"
    study, demo = (
        load_yaml(base, ROOT / "config" / name) for name in ("paper.yaml", "paper_demo.yaml")
    )
    assert study.selected_models == demo.selected_models
    assert study.selected_baselines == demo.selected_baselines
    assert study.seeds == demo.seeds == [0, 1, 2, 3, 4]
    assert study.controls == demo.controls
    assert {control for control, _ in study.controls.values()} == {
        "random_windows",
        "shuffled_labels",
    }
