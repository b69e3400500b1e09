"""Improved deep embedded clustering."""

from torch import Tensor

from songatlas.errors import ConfigError
from songatlas.models.base import Batch, InputSpec, Pass
from songatlas.models.deep_clustering import DeepClustering
from songatlas.models.losses import Scale, Weight

TYPE = "deep clustering"
KEY_FEATURE = "DEC that keeps its decoder, so that the latent still describes the input"
INPUTS = ()
VECTORS = ("either",)


class Architecture(DeepClustering):
    """IDEC (Guo et al. 2017): reconstruction + `clustering_weight` (the paper's γ) × clustering."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        encoder: str = "autoencoder",
        encoder_options: dict[str, int | float | bool | str | list[int] | None] | None = None,
        n_clusters: int = 15,
        clustering_weight: float = 0.1,
        pretrain_epochs: int = 30,
        update_interval: int = 1,
        tolerance: float = 0.001,
        joint_learning_rate: float = 0.1,
    ) -> None:
        super().__init__(
            spec,
            latent_dim,
            encoder=encoder,
            encoder_options=encoder_options,
            n_clusters=n_clusters,
            pretrain_epochs=pretrain_epochs,
            update_interval=update_interval,
            tolerance=tolerance,
            joint_learning_rate=joint_learning_rate,
        )
        if clustering_weight <= 0.0:
            raise ConfigError(f"clustering_weight: must be above 0 (given: {clustering_weight})")
        self.clustering_weight = clustering_weight

    def forward(self, batch: Batch) -> Pass:
        """Encode and decode, through the posterior mean."""
        done: Pass = self.autoencoder(batch)
        return done

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """The autoencoder's terms in pretraining, then with those of the clusters."""
        own = self.pretraining_terms(batch, done, scale, free_bits)
        if self.pretraining:
            return own
        clusters = self.clustering_terms(batch, done.mu)
        loss = own["loss"] + self.clustering_weight * clusters["loss"]
        return {**clusters, "loss": loss, "reconstruction": own["reconstruction"]}
