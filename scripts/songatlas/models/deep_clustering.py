"""Deep clustering on an autoencoder: what DEC and IDEC share."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError, NotApplicable
from songatlas.models import registry
from songatlas.models.base import VAE, Batch, InputSpec, Model, Pass
from songatlas.models.losses import Scale

logger = logging.getLogger(__name__)

N_INIT = 20
"""Starts of the k-means that centroids come from (as in both papers)."""

CHUNK = 4096
"""Windows whose distances to all centroids are in memory at once when targets are refreshed."""


def log_assignments(z: Tensor, centroids: Tensor) -> Tensor:
    """Log soft assignments log q, (B, n_clusters), of latents (B, d) to centroids (n_clusters, d).

    q is a Student's t kernel of one degree of freedom around each centroid, normalised over
    clusters (equation 1 of Xie et al. 2016 with α = 1).
    """
    distance = (z.float().unsqueeze(1) - centroids.float()).square().sum(2)
    return torch.log_softmax(-torch.log1p(distance), 1)


def target_distribution(q: Tensor, frequencies: Tensor) -> Tensor:
    """Target p of soft assignments q (B, n_clusters): q² / f, normalised (equation 3 of the paper).

    `frequencies` (n_clusters,) are f, the sums of q over all training windows.
    """
    sharpened = q.square() / frequencies.clamp_min(torch.finfo(q.dtype).tiny)
    return sharpened / sharpened.sum(1, keepdim=True)


@dataclass(frozen=True)
class Target:
    """Targets of the training windows, as of the last refresh."""

    position: Tensor
    """Place of each row in `p`, −1 for rows that are not of training, (n_rows,) int64."""
    p: Tensor
    """(n, n_clusters) float32."""
    frequencies: Tensor
    """(n_clusters,) float32."""
    assigned: Tensor
    """Cluster of each training window, (n,) int64."""
    changed: Tensor
    """Share of them whose cluster is another one than at the refresh before; NaN at the first."""

    def to(self, device: torch.device) -> "Target":
        """The same on another device."""
        return Target(**{name: values.to(device) for name, values in vars(self).items()})

    def of(self, rows: Tensor, q: Tensor) -> Tensor:
        """Targets (B, n_clusters) of rows (B,); of those outside of training, from their own q."""
        inside = rows.clamp(max=len(self.position) - 1)
        place = torch.where(rows < len(self.position), self.position[inside], -1)
        own = target_distribution(q, self.frequencies)
        return torch.where((place >= 0).unsqueeze(1), self.p[place.clamp_min(0)], own)


class DeepClustering(Model):
    """Clusters learned together with the latent of an autoencoder.

    For `pretrain_epochs` the autoencoder (any architecture of the VAE family, `encoder` with
    `encoder_options`) trains as a plain one through its posterior mean. Centroids then start at
    those of k-means over the training windows' latents, and latents and centroids train towards the
    target distribution, which is refreshed from all training windows every `update_interval`
    epochs. In this phase the network runs as it does when it embeds, without dropout and with fixed
    batch statistics, so that assignments and targets are of the same latents. The KL weight of the
    config and its annealing have no part in it.

    The loss contains the cross-entropy H(P, Q) = KL(P‖Q) + H(P) where the papers have KL(P‖Q). The
    gradient is the same, since P is constant between refreshes. But KL(P‖Q) is small wherever Q is
    undecided, because P is then hardly sharper than Q: the epoch of the smallest KL is the one with
    the least clustering. The cross-entropy is 0 only where windows are certain of their cluster, so
    its smallest value on the validation songs is what the kept weights are chosen by. `target_kl`
    shows KL(P‖Q).

    Training stops when fewer than the share `tolerance` of the training windows changed their
    cluster between two refreshes (`changed`), or by early stopping. In a small corpus that can be
    soon; a `tolerance` of 0 leaves it to early stopping. Joint training has a learning rate of its
    own, `joint_learning_rate` times the config's: at the full one a wide encoder throws all latents
    far from all centroids in its first steps, and the clusters collapse.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        encoder: str,
        encoder_options: Mapping[str, Any] | None,
        n_clusters: int,
        pretrain_epochs: int,
        update_interval: int,
        tolerance: float,
        joint_learning_rate: float,
    ) -> None:
        super().__init__(spec, latent_dim)
        for name, value, least in (
            ("n_clusters", n_clusters, 2),
            ("pretrain_epochs", pretrain_epochs, 1),
            ("update_interval", update_interval, 1),
        ):
            if value < least:
                raise ConfigError(f"{name}: must be at least {least} (given: {value})")
        if not 0.0 <= tolerance < 1.0:
            raise ConfigError(f"tolerance: must be at least 0 and below 1 (given: {tolerance})")
        if joint_learning_rate <= 0.0:
            raise ConfigError(
                f"joint_learning_rate: must be above 0 (given: {joint_learning_rate})"
            )
        autoencoder = registry.build(encoder, spec, latent_dim, encoder_options or {})
        assert isinstance(autoencoder, VAE)
        autoencoder.pretraining = True  # it decodes its posterior mean
        self.autoencoder = autoencoder
        self.channels_last = autoencoder.channels_last
        self.pairs, self.whole_songs = autoencoder.pairs, autoencoder.whole_songs
        self.n_clusters, self.pretrain_epochs = n_clusters, pretrain_epochs
        self.update_interval, self.tolerance = update_interval, tolerance
        self.joint_learning_rate = joint_learning_rate
        self.centroids = nn.Parameter(torch.zeros(n_clusters, latent_dim))
        # Not a buffer: it belongs to a training, not to the trained model.
        self.target: Target | None = None
        self.shows_changed = False

    def begin(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """What the autoencoder does before training."""
        self.autoencoder.begin(batches)

    def embed(self, batch: Batch) -> Tensor:
        """The autoencoder's posterior mean, (B, latent_dim)."""
        return self.autoencoder.embed(batch)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        return self.autoencoder.decode(z, batch)

    def cluster(self, z: Tensor) -> Tensor:
        """Cluster with the largest soft assignment, (B,) int64."""
        return log_assignments(z, self.centroids).argmax(1)

    def pretraining_terms(
        self, batch: Batch, done: Pass, scale: Scale, free_bits: float
    ) -> dict[str, Tensor]:
        """The autoencoder's own terms."""
        return self.autoencoder.terms(batch, done, kl_weight=0.0, scale=scale, free_bits=free_bits)

    def clustering_terms(self, batch: Batch, z: Tensor) -> dict[str, Tensor]:
        """`loss`, the cross-entropy H(P, Q) in nats, and what histories should show of it."""
        assert self.target is not None, "start_epoch has not been called"
        log_q = log_assignments(z, self.centroids)
        with torch.no_grad():
            p = self.target.of(batch["row"], log_q.exp())
        cross_entropy = -(p * log_q).sum(1).mean()
        entropy = torch.special.entr(p).sum(1).mean()
        terms = {"loss": cross_entropy, "target_kl": (cross_entropy - entropy).detach()}
        if self.training and self.shows_changed:
            terms["changed"] = self.target.changed
        return terms

    @property
    def converged(self) -> bool:
        """Whether hardly any window changed its cluster at the last refresh."""
        return self.target is not None and bool(self.target.changed < self.tolerance)

    @torch.no_grad()
    def start_joint_training(self, latents: np.ndarray, seed: int) -> None:
        """Start centroids at those of k-means over the latents of the training windows, (n, d).

        Raises:
            NotApplicable: when there are fewer different latents than clusters.
        """
        from sklearn.cluster import KMeans

        n_different = len(np.unique(latents, axis=0))
        if n_different < self.n_clusters:
            raise NotApplicable(
                f"not trained: {self.n_clusters} clusters need as many different training windows, "
                f"there are {n_different} (add songs, or lower n_clusters)"
            )
        kmeans = KMeans(self.n_clusters, n_init=N_INIT, random_state=seed)
        self.centroids.copy_(torch.as_tensor(kmeans.fit(latents).cluster_centers_))

    @torch.no_grad()
    def start_epoch(self, epoch: int, rows: np.ndarray, latents: Callable[[], np.ndarray]) -> None:
        """Refresh the targets every `update_interval` epochs."""
        if (epoch - self.pretrain_epochs) % self.update_interval == 0:
            self._refresh(rows, torch.as_tensor(latents(), device=self.centroids.device))
        assert self.target is not None, "a resumed training brings its targets"
        self.target = self.target.to(self.centroids.device)
        self.shows_changed = bool(self.target.changed.isfinite())
        self.autoencoder.eval()

    def _refresh(self, rows: np.ndarray, latents: Tensor) -> None:
        log_q = torch.cat([log_assignments(part, self.centroids) for part in latents.split(CHUNK)])
        q, assigned = log_q.exp(), log_q.argmax(1)
        changed = q.new_tensor(float("nan"))
        if self.target is not None:
            changed = (assigned != self.target.assigned).float().mean()
        if len(assigned) > 1 and bool((assigned == assigned[0]).all()):
            logger.warning(
                "all %d training windows are in one of %d clusters: lower training.learning_rate "
                "or latent_dim, or raise pretrain_epochs",
                len(assigned),
                self.n_clusters,
            )
        position = np.full(int(rows.max()) + 1, -1)
        position[rows] = np.arange(len(rows))
        frequencies = q.sum(0)
        self.target = Target(
            torch.as_tensor(position, device=q.device),
            target_distribution(q, frequencies),
            frequencies,
            assigned,
            changed,
        )

    def progress(self) -> dict[str, Tensor]:
        """The targets."""
        return {} if self.target is None else dict(vars(self.target))

    def resume(self, progress: Mapping[str, Tensor]) -> None:
        """Take back what `progress` gave."""
        self.target = Target(**progress) if progress else None
        self.shows_changed = self.target is not None and bool(self.target.changed.isfinite())
