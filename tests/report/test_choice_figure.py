"""The figure of the choice of k: what stands in it, and that nothing breaks it."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from songatlas import tables
from songatlas.clustering.choice import choose_k
from songatlas.errors import SongatlasError
from songatlas.evaluation.consensus import choice_frame
from songatlas.report.figures import style
from songatlas.report.figures.choice_of_k import LABELS, ModelChoice, choice_figure, read_choice
from songatlas.report.figures.save import save

CORPUS = "Songs & $dollars$"


def model_choice(model: str, centres: int = 3, n: int = 30) -> ModelChoice:
    rng = np.random.default_rng(0)
    z = 9.0 * np.eye(4)[np.arange(n) % centres] + rng.normal(size=(n, 4))
    found = choose_k([z], draws=3, references=3, n_init=1, k_max=5)
    return ModelChoice(model, n, choice_frame(found), found.sentence)


@pytest.fixture(scope="module")
def three() -> ModelChoice:
    return model_choice("conv_vae")


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda x: hasattr(x, "get_text")))


def test_every_criterion_is_drawn_with_its_choice_and_the_common_one(three: ModelChoice) -> None:
    figure = choice_figure([three], corpus_name=CORPUS)
    assert len(figure.axes) == len(LABELS) == 4
    for ax in figure.axes:
        joint, curve, own = ax.get_lines()
        assert set(joint.get_xdata()) == {3.0}
        assert list(own.get_xdata()) == [3]
        assert own.get_marker() == "D"
        ks = list(curve.get_xdata())
        assert ks in ([2, 3, 4, 5], [1, 2, 3, 4, 5])
        assert own.get_ydata()[0] == curve.get_ydata()[ks.index(3)]
    assert figure.axes[3].get_lines()[1].get_ydata().min() == 0.0
    said = words(figure)
    assert "together k = 3, n = 30" in said
    assert r"Songs & \$dollars\$" in said


def test_spread_is_that_of_the_table(three: ModelChoice) -> None:
    figure = choice_figure([three], corpus_name=CORPUS)
    rows = three.rows[three.rows["criterion"] == "gap"]
    [band] = figure.axes[2].collections
    heights = band.get_paths()[0].get_extents()
    assert heights.y1 == pytest.approx((rows["value"] + rows["sd"]).max())
    assert not figure.axes[3].collections  # one seed: no spread of the BIC


def test_models_share_the_scale_of_silhouette_and_nothing_is_cut_off(three: ModelChoice) -> None:
    two = model_choice("multimodal_contrastive_encoder_of_songs", centres=2)
    choices = [three, two, *[ModelChoice(f"m{i}", 30, three.rows) for i in range(5)]]
    figure = choice_figure(choices, corpus_name=CORPUS)
    assert len(figure.axes) == 4 * 7
    assert figure.axes[1].get_ylim() == figure.axes[5].get_ylim()
    with style.context():
        figure.draw_without_rendering()
        boxes = [ax.get_tightbbox() for ax in figure.axes]
        boxes += [item.get_window_extent() for item in (*figure.texts, *figure.legends)]
    width, height = figure.bbox.width, figure.bbox.height
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def test_a_model_without_a_choice_says_why(three: ModelChoice, tmp_path: Path) -> None:
    empty = choose_k([np.ones((20, 4))])
    path = tmp_path / "vae-choice.parquet"
    info = {"model": "vae", "n": 20, "note": "", "sentence": empty.sentence}
    tables.write(choice_frame(empty), path, tables.CHOICE, info)
    alone = choice_figure([read_choice(path)], corpus_name=CORPUS)
    assert len(alone.axes) == 1
    assert "all points are the same" in " ".join(words(alone).split())
    both = choice_figure([three, read_choice(path)], corpus_name=CORPUS)
    assert len(both.axes) == 5


def test_a_criterion_that_was_not_computed_says_so(three: ModelChoice) -> None:
    rows = three.rows.copy()
    lost = rows["criterion"] == "stability"
    rows.loc[lost, ["value", "sd"]] = np.nan
    rows.loc[lost, "chosen"] = False
    figure = choice_figure([ModelChoice("vae", 30, rows)], corpus_name=CORPUS)
    assert "not computed" in words(figure)


def test_the_same_table_gives_the_same_bytes(three: ModelChoice, tmp_path: Path) -> None:
    pairs = []
    for name in ("a", "b"):
        svg, png = tmp_path / f"{name}.svg", tmp_path / f"{name}.png"
        save(choice_figure([three], corpus_name=CORPUS), svg, png, dpi=60, title="Choice of k")
        pairs.append((svg.read_bytes(), png.read_bytes()))
    assert pairs[0] == pairs[1]
    ElementTree.fromstring(pairs[0][0])


def test_no_model_is_refused() -> None:
    with pytest.raises(SongatlasError, match="no representation"):
        choice_figure([], corpus_name=CORPUS)
    assert pd.isna(choice_frame(choose_k([np.zeros((0, 2))]))["k"]).all()
