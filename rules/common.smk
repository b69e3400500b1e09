"""Functions that rules share: what is known only once the corpus checkpoint has run."""

import functools
from types import SimpleNamespace

from snakemake.exceptions import IncompleteCheckpointException

from songatlas.run.cards import has_card
from songatlas.config import feature_registry as features
from songatlas.plan.feature_files import CENTRED_BY

corpus_files = SimpleNamespace(
    tracks=plan.path("corpus", "tracks.parquet"),
    labels=plan.path("corpus", "labels.parquet"),
    windows=plan.path("corpus", "windows.parquet"),
    lines=plan.path("corpus", "lines.parquet"),
    notes=plan.path("corpus", "notes.parquet"),
    rejects=plan.path("corpus", "rejects.parquet"),
    warnings=plan.path("corpus", "warnings.parquet"),
    shards=[plan.path("corpus", "shards", f"{shard}.parquet") for shard in plan.shards],
    # Views: what later stages read of the tables above, so that they re-run for nothing else.
    songs=plan.path("corpus", "views", "songs.parquet"),
    audio_windows=plan.path("corpus", "views", "audio_windows.parquet"),
    language=plan.path("corpus", "views", "language.parquet"),
    genre=plan.path("corpus", "views", "genre.parquet"),
    classes=plan.path("corpus", "views", "classes.parquet"),
    shown=plan.path("corpus", "views", "shown.parquet"),
    titles=plan.path("corpus", "views", "titles.parquet"),
    factors=plan.path("corpus", "views", "factors.parquet"),
    contents=[plan.path("corpus", "views", "shards", f"{shard}.parquet") for shard in plan.shards],
)
"""What the corpus checkpoint writes, by name."""

corpus_answers = {}


def corpus_output():
    """`corpus_files` once the checkpoint has run; as Snakemake says it if it has not.

    `checkpoints.corpus.get()` builds the paths of all outputs whenever it is asked, two for every
    shard, and every shard's jobs ask: thousands of shards would take minutes to plan. Whether the
    checkpoint has run is asked of one of its tables; it never goes from yes to no. Paths are those
    of the plan, to which Snakemake adds the storage, if the run keeps its results in one.
    """
    done = rules.corpus.output.tracks in checkpoints.created_output
    if done not in corpus_answers:
        try:
            checkpoints.corpus.get()
            corpus_answers[done] = corpus_files
        except IncompleteCheckpointException as incomplete:
            corpus_answers[done] = incomplete
    if isinstance(corpus_answers[done], IncompleteCheckpointException):
        raise corpus_answers[done].with_traceback(None)
    return corpus_answers[done]


def corpus_table(name):
    """A table of the corpus, behind the checkpoint: what has not changed re-runs nothing."""

    def path(wildcards):
        return getattr(corpus_output(), name)

    return path


def split_table(name):
    """`songs` or `audio_windows` of the corpus, near copies of one recording in one split.

    Whatever trains, fits or scores by split reads these; others read the corpus's own.
    """

    def path(wildcards):
        corpus = corpus_output()
        if plan.near_copies is None:
            return getattr(corpus, name)
        return plan.path("features", "near_copies", f"{name}.parquet")

    return path


def near_copies():
    """The groups of near copies, for scripts that give songs their splits; none without."""
    return [] if plan.near_copies is None else plan.near_copies


def reads_its_own(path):
    """An output that its job reads before it replaces it: what a run remembers of its past.

    Snakemake cannot leave in place what lies in a remote storage; there nothing is remembered.
    """
    remote = workflow.storage_settings.default_storage_provider is not None
    return path if remote else update(path)


def shard_table(wildcards):
    """The windows of one shard and where their songs lie, which is no reason to run again."""
    return ancient(corpus_output().shards[int(wildcards.shard)])


def shard_content(wildcards):
    """The windows of one shard: what its features depend on."""
    return corpus_output().contents[int(wildcards.shard)]


demo_audio = ancient(f"{plan.corpus_path}/audio") if plan.config.corpus == "demo" else []


def model_features(wildcards):
    """Named inputs of a trained model: its features, windows and the labels it is shown."""
    corpus = corpus_output()
    songs, windows = split_table("songs")(wildcards), split_table("audio_windows")(wildcards)
    read = plan.model_inputs(wildcards.model)
    files = {"windows": windows}
    vectors = plan.config.models[wildcards.model].vectors
    if vectors:
        files |= {name: plan.parts(feature) for name, feature in vectors.items()}
        whole = plan.song_parts(vectors["audio"]) if "audio" in vectors else []
        return files | {"tracks": songs, "audio_songs": whole}
    for feature in (feature for name in read for feature in features.read_as(name)):
        parts = plan.parts(feature.name)
        files[feature.name] = parts if feature.reads == "audio" else parts[0]
    if "songs" in read:
        files["tracks"] = songs
    for label in ("language", "genre"):
        if label in read:
            files["labels"] = getattr(corpus, label)
    return files


def trained_latents_inputs(wildcards):
    """A trained model's weights and what it embeds."""
    folder = plan.path("models", wildcards.model, f"seed-{wildcards.seed}")
    return {"weights": f"{folder}/weights.ckpt", **model_features(wildcards)}


def decoded_sounds_inputs(wildcards):
    """What a model's sounds are decoded from, and which latents they are."""
    name = f"seed-{wildcards.seed}.parquet"
    files = {
        "latents": plan.path("latents", wildcards.model, name),
        "clusters": plan.path("clusters", wildcards.model, name),
        "licences": corpus_output().labels,
        **trained_latents_inputs(wildcards),
    }
    if wildcards.model in plan.variational:
        files["traversal"] = plan.path("analysis", "traversals", wildcards.model, name)
    if not plan.folds:
        files["named"] = plan.path("analysis", "named.parquet")
    return files


def latents_to_cluster(wildcards):
    """A model's latents; those of sound and of words alone too where it reads both."""
    name = f"seed-{wildcards.seed}"
    files = {"latents": plan.path("latents", wildcards.model, f"{name}.parquet")}
    if wildcards.model in plan.multimodal:
        folder = plan.path("analysis", "ablations", wildcards.model)
        files |= {"sound": f"{folder}/{name}-mel.parquet"}
        files |= {"words": f"{folder}/{name}-lyrics.parquet"}
    return files


def baseline_inputs(wildcards):
    """The one feature that a baseline reads, and the tables that say whose it is."""
    feature = plan.feature_of(wildcards.model)
    files = {
        "features": plan.parts(feature),
        "windows": split_table("audio_windows")(wildcards),
        "tracks": split_table("songs")(wildcards),
    }
    if plan.song_parts(feature):
        files["songs"] = plan.song_parts(feature)
    if plan.config.baselines[wildcards.model].centre:
        files["languages"] = plan.parts(CENTRED_BY)
    return files


def encoder_inputs(wildcards):
    """Those of a baseline, and labels where a probe chooses the layer."""
    files = baseline_inputs(wildcards)
    if plan.baseline(wildcards.model)["layer"] == "probe":
        files["labels"] = corpus_output().classes
    return files


def query_encoder(wildcards):
    """The joint encoder that answers a text, where one does."""
    if plan.query_model not in plan.joint_encoders:
        return None
    return plan.encoder_of(plan.query_model)


def playlist_inputs(wildcards):
    """What says which songs are near to one: representations, and which of them is the best."""
    corpus = corpus_output()
    return {
        "tracks": corpus.tracks,
        "labels": corpus.labels,
        "comparison": rules.comparison.output.csv,
        "latents": plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_branches),
        "tags": musicnn_songs,
    }


def query_inputs(wildcards):
    """What answers a text reads: what is known of songs, or a model, or an encoder's feature."""
    if plan.config.query.like is not None:
        return playlist_inputs(wildcards)
    corpus, model = corpus_output(), plan.query_model
    files = {"tracks": corpus.songs, "titles": corpus.titles, "classes": corpus.shown}
    if query_encoder(wildcards):
        files |= {"features": plan.parts(plan.feature_of(model)), "windows": corpus.audio_windows}
    elif model is not None:
        seed = dict(plan.first_trained)[model]
        folder = plan.path("analysis", "ablations", model)
        files["latents"] = f"{folder}/seed-{seed}-mel.parquet"
        files["weights"] = plan.path("models", model, f"seed-{seed}", "weights.ckpt")
    else:
        files["tags"] = musicnn_songs
        files["lyrics"] = plan.parts("e5") if "e5" in plan.features else []
    return files


def names_encoder():
    """The joint encoder that names clusters, where the run has one."""
    joint = plan.joint_encoders
    return plan.encoder_of(joint[0]) if joint else None


musicnn_songs = plan.song_parts("musicnn") if "musicnn" in plan.features else []
"""Vectors and tags of songs by musicnn, where the run has them."""


def names_inputs(wildcards):
    """Clusters, and what their songs are measured by."""
    corpus = corpus_output()
    files = {
        "latents": plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_branches),
        "consensus": plan.consensus_files(".parquet"),
        "choice": plan.consensus_files("-choice.parquet"),
        "windows": corpus.audio_windows,
        "classes": corpus.shown,
        "tracks": corpus.songs,
        "tags": musicnn_songs,
        "descriptors": plan.parts("descriptors") if "descriptors" in plan.features else [],
    }
    if names_encoder():
        files["features"] = plan.parts(plan.feature_of(plan.joint_encoders[0]))
    return files


def adapter_of(wildcards):
    """The LoRA weights that a feature is computed with, if any."""
    if not wildcards.adapted:
        return []
    folder = plan.path("features", f"encoder-{wildcards.encoder}-adapted", "lora")
    return f"{folder}/adapter_model.safetensors"


def disentanglement_inputs(wildcards):
    """Latents and factors; the spectrograms too where a model binds dimensions to attributes."""
    files = {
        "latents": plan.path("latents", wildcards.model, f"seed-{wildcards.seed}.parquet"),
        "factors": corpus_output().factors,
    }
    if plan.bound(wildcards.model):
        files["logmel"] = plan.parts("logmel")
    return files


def model_params(key):
    """A part of a trained model's declaration."""
    return lambda wildcards: plan.model(wildcards.model)[key]


def model_device(wildcards):
    """Where and in which precision a model is trained; nothing else of `training` is read again."""
    training = plan.model(wildcards.model)["training"]
    return {name: training[name] for name in ("device", "precision")}


@functools.cache
def card_here():
    """Whether jobs may find a card: on a cluster's nodes, or on this machine."""
    plugin = workflow.executor_plugin
    return (plugin is not None and not plugin.common_settings.local_exec) or has_card()


def cards_for(device):
    """Cards that a job beside trainings asks for, whose config names this device.

    Where there is none, asking would let such jobs queue one behind another for nothing.
    """
    return int(device != "cpu" and card_here())


def card_of_model(wildcards):
    """Cards that a job asks for which reads a trained model."""
    return cards_for(plan.model(wildcards.model)["training"]["device"])


def code_of(script):
    """Identity of an entry script's code, asked for by the jobs that run it alone.

    Every job's process reads all rules, and finding out takes parsing half the library.
    """
    return lambda wildcards: plan.code(script)


def settings_of(feature):
    """What decides the values of a feature, asked for by its jobs alone."""
    return lambda wildcards: plan.feature_settings(feature)


def code_of_feature(script, feature):
    """Identity of an entry script's code and of the feature's module that it runs."""
    return lambda wildcards: plan.code_of_feature(script, feature)


def model_code(script):
    """Identity of the code that trains or embeds a model."""

    def code(wildcards):
        return plan.code_of_models(script, wildcards.model)

    return code


def one_of(names):
    """A wildcard constraint that matches these names and nothing else."""
    return "|".join(names) if names else "(?!)"


def each_figure(folder, extension, names):
    """(name, path) of the figure of each of `names` in `figures/<folder>`."""
    return [(name, plan.path("figures", folder, f"{name}.{extension}")) for name in names]


def map_figures(extension, *folder):
    """Every map, then the overviews, in `figures/map` (or in `figures/<folder>`)."""
    names = [*plan.first_names, "overview"]
    return [
        plan.path("figures", *(folder or ["map"]), f"{name}-{attribute}.{extension}")
        for name in names
        for attribute in ("language", "genre")
    ]


def all_figures(extension):
    """Every figure of the run."""
    figures = [
        "comparison",
        # In cross-validation every seed clusters other songs: there is nothing to agree on.
        *(["choice_of_k"] if not plan.folds else []),
        *(["training"] if plan.models else []),
    ]
    drawn = [plan.path("figures", f"{name}.{extension}") for name in figures]
    of_each = {
        "confusion": plan.first_names,
        "reconstruction": plan.of_spectrograms,
        "traversal": plan.variational,
    }
    for folder, names in of_each.items():
        drawn += [path for _, path in each_figure(folder, extension, names)]
    drawn += all_paper_figures(extension) if plan.config.paper.include else []
    return [*drawn, *map_figures(extension)]


def all_tables():
    """Every table for readers."""
    files = {
        "comparison": ("csv", "md", "tex", "txt"),
        "disentanglement": ("csv", "md", "tex"),
        "fates": ("csv",),
        "continuity": ("csv",),
    }
    if plan.near_copies:
        files["near_copies"] = ("csv",)
    if not plan.folds:
        files |= {"consensus": ("csv", "md", "tex"), "cluster_quality": ("csv",)}
        files["names"] = ("csv", "md")
    if plan.models or plan.pretrained_rows:
        files["architectures"] = ("csv", "md", "tex")
    if plan.models:
        files["training"] = ("csv", "md", "tex")
        files["latent_units"] = ("csv",)
    if plan.multimodal:
        files |= {"modalities": ("csv", "md", "tex")}
    if "musicnn" in plan.features:
        files["song_tags"] = ("csv",)
    if plan.retrievable or plan.joint_encoders:
        files["retrieval"] = ("csv", "md", "tex")
    if len(plan.first_branches) > 1:
        files["tests"] = ("csv", "md", "tex")
    if plan.leaky:
        files["leakage"] = ("csv", "md", "tex")
    if plan.config.probes.include:
        files["probes"] = ("csv", "md", "tex")
    if plan.changes:
        files["changes"] = ("csv", "md", "tex")
    if "names" in plan.config.targets:
        files["captions"] = ("csv",)  # names of clusters are made in any run
    names = [f"{name}.{kind}" for name, kinds in files.items() for kind in kinds]
    paper = all_paper_tables() if plan.config.paper.include else []
    return [
        *(plan.path("tables", name) for name in names),
        plan.path("report", "summary.md"),
        *paper,
    ]


def markdown_pages():
    """The summary and every table in Markdown."""
    return [path for path in all_tables() if path.endswith(".md")]


def html_pages():
    """A page of each of them."""
    return [plan.path("report", "pages", f"{Path(path).stem}.html") for path in markdown_pages()]


PAPER_SCORES = (
    "clustering_summary",
    "clustering_summary_vs_published",
    "clustering_companion",
    "best",
    "best_vs_published",
    "methods",
    "methods_vs_published",
    "methods_pairs",
    "tasks",
    "tasks_vs_published",
    "ranking",
)
"""The reference study's tables of scores."""


def paper_tables(*names):
    """The reference study's tables of these names, in three forms."""
    return [
        plan.path("tables", f"paper_{name}.{kind}")
        for name in names
        for kind in ("csv", "md", "tex")
    ]


PAPER_FIGURES = ("ranking", "tasks", "six_scores", "algorithms", "heat_map")
"""The reference study's figures of scores."""


def paper_figures(extension, *names):
    """The reference study's figures of these names."""
    return [plan.path("figures", "paper", f"{name}.{extension}") for name in names]


def all_paper_figures(extension):
    """Every figure of the target `paper` that no other target draws."""
    drawn = paper_figures(extension, *PAPER_FIGURES, "reconstruction", "leakage")
    return [*drawn, *map_figures(extension, "paper", "tsne")]


def all_paper_tables():
    """Every table of the target `paper`, and its text."""
    alone = ("dataset", "splits", "architectures", "training")
    beside = [f"{name}_vs_published" for name in alone]
    return [
        *paper_tables(*alone, *beside, *PAPER_SCORES, "pairwise", "reconstruction"),
        plan.path("tables", "paper_scores.csv"),
        plan.path("tables", "paper_reconstruction_points.csv"),
        plan.path("report", "questions.md"),
    ]


def jobs_left(workflow):
    """Rule and model of every job that is known to be still to run."""
    left = workflow.dag.needrun_jobs()
    return [(job.rule.name, job.wildcards_dict.get("model")) for job in left]


def stages_to_write(workflow):
    """Folders under `results/<run>/` that jobs will write to; None before the corpus is known."""
    jobs = list(workflow.dag.needrun_jobs())
    if any(job.is_checkpoint for job in jobs):
        return None
    start = f"{plan.results}/"
    paths = [str(path) for job in jobs for path in job.output]
    return {path.removeprefix(start).split("/")[0] for path in paths if path.startswith(start)}
