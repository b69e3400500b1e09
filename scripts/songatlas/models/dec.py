"""Deep embedded clustering."""

from torch import Tensor

from songatlas.models.base import Batch, InputSpec, Pass
from songatlas.models.deep_clustering import DeepClustering
from songatlas.models.losses import Scale, Weight

TYPE = "deep clustering"
KEY_FEATURE = "pretrained encoder and centroids sharpen their own soft assignments"
INPUTS = ()
VECTORS = ("either",)


class Architecture(DeepClustering):
    """DEC (Xie et al. 2016): after pretraining, the encoder trains for the clusters alone.

    The decoder is left as pretraining made it; it takes no further part, and what it decodes shows
    how far the latent has moved since.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        encoder: str = "autoencoder",
        encoder_options: dict[str, int | float | bool | str | list[int] | None] | None = None,
        n_clusters: int = 15,
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

    def forward(self, batch: Batch) -> Pass:
        """Encode and, in pretraining, decode."""
        return self.autoencoder(batch) if self.pretraining else Pass(self.embed(batch))

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """The autoencoder's terms in pretraining, then those of the clusters."""
        if self.pretraining:
            return self.pretraining_terms(batch, done, scale, free_bits)
        return self.clustering_terms(batch, done.mu)
