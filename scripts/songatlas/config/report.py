"""`figures`, `paper`, `explorer`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from songatlas.config.base import Level, Positive, Section, once, split_commas


class Figures(Section):
    umap_neighbors: int = Field(15, ge=2, le=1000, description="UMAP: neighbours.")
    umap_min_dist: float = Field(0.1, ge=0.0, lt=1.0, description="UMAP: minimum distance.")
    tsne_perplexity: Positive = Field(
        30.0, description="t-SNE: perplexity (at most a third of the vectors)."
    )
    png_dpi: int = Field(150, ge=50, le=1200, description="Resolution of the PNG copies.")


class Paper(Section):
    """The reference study's tables and figures (target `paper`)."""

    include: bool = Field(
        False,
        description="Whether a run makes them with everything else; without, `snakemake ... paper` "
        "does.",
    )
    level: Level = Field(
        "song_vote",
        description="Level of `tables/paper_*`: `song_vote` and `window` are the study's (its "
        "validation windows were clustered).",
    )


class Explorer(Section):
    """The page for the browser (`report/explorer`)."""

    projections: Annotated[list[Literal["umap", "tsne", "pca"]], BeforeValidator(split_commas)] = (
        Field(
            ["umap", "tsne", "pca"],
            min_length=1,
            description="Maps of every model (t-SNE only up to 5,000 points).",
        )
    )
    neighbours: int = Field(10, ge=0, le=100, description="Nearest songs that are listed.")
    previews: bool | None = Field(
        None,
        description="Put a short, low-rate copy of every window (mono MP3, 16 kHz) beside the "
        "page, so that the folder can be moved. False: the page plays your own files where they "
        "lie. null: previews of the demo, whose songs are CC0, and of nothing else.",
    )
    preview_s: float = Field(
        30.0, ge=1.0, le=60.0, description="Longest preview, in seconds (at most a window)."
    )
    previews_despite_licence: bool = Field(
        False,
        description="Previews also of songs whose licence forbids derivatives (CC ... ND, all "
        "rights reserved). Off unless you opt in.",
    )
    music_view: bool | None = Field(
        None,
        description="Add the panel `Feel`, for those who do not hear: beat, loudness and timbre as "
        "movement, size and colour, and as vibration. All songs are decoded once more for it. "
        "null: for the demo and for nothing else.",
    )
    decode: bool = Field(
        False,
        description="Sounds that the models decode, beside the page: centres of clusters, "
        "journeys, single dimensions, reconstructions. Never of songs whose licence forbids "
        "derivatives. Where no selected model decodes sounds, `conv_vae` is trained, too. The run "
        "says at its start how many sounds there are, how large and how long they take.",
    )

    _no_duplicates = field_validator("projections")(once)
