"""`training`, `loss`, `trainer`, `compute`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from songatlas.config.base import Positive, Section

Attribute = Literal["tempo", "brightness", "loudness"]


class Training(Section):
    max_epochs: int = Field(100, ge=1, le=100_000, description="Upper bound on epochs.")
    batch_size: int = Field(
        32, ge=2, le=65536, description="Windows per optimiser step (batch norm needs two)."
    )
    learning_rate: Positive = Field(1e-4, description="AdamW learning rate.")
    weight_decay: float = Field(1e-4, ge=0.0, description="AdamW weight decay.")
    gradient_clip: float = Field(0.5, ge=0.0, description="Largest gradient norm (0: no clipping).")
    plateau_factor: float = Field(0.5, gt=0.0, lt=1.0, description="ReduceLROnPlateau factor.")
    plateau_patience: int = Field(5, ge=0, description="ReduceLROnPlateau patience, in epochs.")
    early_stopping_patience: int = Field(
        15, ge=1, description="Epochs without a better validation loss before training stops."
    )
    max_minutes: Positive | None = Field(
        None,
        description="Minutes after which a training ends, at the end of its epoch, with the best "
        "epoch so far (null: no limit; pretraining ends in any case). How far it came then depends "
        "on the machine, and `tables/training` says so.",
    )
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32"] = Field(
        "auto",
        description="`auto`: bf16 autocast where the device computes in bf16, fp16 autocast on "
        "older CUDA cards, else fp32.",
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        "auto",
        description="`auto`: CUDA when there, else Apple MPS, else CPU. Another value re-runs "
        "training; with `auto`, another machine does not: name the device where results of another "
        "must not stand in.",
    )
    deterministic: bool = Field(
        False,
        description="On a GPU: the same seed gives the same weights to the last bit, with slower "
        "kernels. On a CPU it always does.",
    )
    cuda_graphs: bool = Field(
        True,
        description="On a CUDA card: record a training step once and replay it (bf16 and fp32), so "
        "that small models do not wait for the processor. `false` where a step cannot be recorded.",
    )


class Loss(Section):
    scale: Literal["paper", "elbo"] = Field(
        "elbo",
        description="`paper`: squared error averaged over values plus beta times the KL averaged "
        "over latent dimensions (collapses the posterior). `elbo`: both terms summed, decoder "
        "variance calibrated (sigma-VAE, Rybkin et al. 2021).",
    )
    kl_warmup_epochs: int = Field(
        20, ge=0, description="Epochs of linear KL annealing, or of one cycle of it."
    )
    kl_schedule: Literal["linear", "cyclic"] = Field(
        "linear",
        description="`linear`: one ramp. `cyclic`: `kl_cycles` ramps, each followed by as many "
        "epochs at the full weight (Fu et al. 2019).",
    )
    kl_cycles: int = Field(4, ge=1, le=1000, description="Cycles of the cyclic schedule.")
    free_bits: float = Field(
        0.0,
        ge=0.0,
        description="Nats per latent dimension that cost nothing (Kingma et al. 2016): keeps "
        "dimensions from collapsing. 0: off.",
    )
    attributes: dict[Attribute, Annotated[int, Field(ge=0)]] = Field(
        {},
        description="Attribute regularisation (AR-VAE, Pati & Lerch 2020): which latent dimension "
        "is bound to `tempo`, `brightness` or `loudness` of the window, for instance "
        "`{tempo: 0, brightness: 1}`.",
    )
    attribute_weight: float = Field(
        1.0, ge=0.0, description="Weight of the attributes' term beside the distortion."
    )
    attribute_delta: Positive = Field(
        1.0, description="How soon a distance along a bound dimension counts as large."
    )

    @field_validator("attributes")
    @classmethod
    def _one_dimension_each(cls, value: dict[str, int]) -> dict[str, int]:
        if len(set(value.values())) != len(value):
            raise ValueError("binds two attributes to one dimension")
        return value


class Trainer(Section):
    """Processes that train one model together, each with a part of every batch."""

    devices: int = Field(
        1,
        ge=1,
        le=1024,
        description="GPUs (where there are none: processes) of a training job on each machine.",
    )
    nodes: int = Field(
        1, ge=1, le=1024, description="Machines of a training job (more than 1: on Slurm)."
    )
    strategy: Literal["auto", "ddp"] = Field(
        "auto",
        description="`ddp`: one process for each device, each with a part of every batch and the "
        "whole batch's loss. `auto`: that, where there is more than one device.",
    )

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


class Compute(Section):
    """What changes no result but by rounding: what jobs declare, and what they show meanwhile."""

    training_threads: int = Field(1, ge=1, description="CPU threads of a training job.")
    gpu_memory_gb: float = Field(12.0, gt=0.0, description="GPU memory a training job declares.")
    tensorboard: bool = Field(
        False,
        description="Write TensorBoard logs under `results/<run>/tensorboard/` while models train.",
    )
    save_every_s: float = Field(
        120.0,
        ge=0.0,
        description="Seconds of training that a sudden end (power cut, kill -9) may cost at most; "
        "a time limit or Ctrl-C costs none.",
    )
    container: str | None = Field(
        None,
        description="Image that jobs run in with `--software-deployment-method apptainer`: "
        "`docker://REGISTRY/songatlas:0.1.0`, or the path of a .sif file.",
    )
    resume_path: str | None = Field(
        None,
        description="Folder for the states of interrupted trainings (null: this one, under "
        "`results/`). For jobs whose folder goes when they end (Kubernetes): one on a volume.",
    )
