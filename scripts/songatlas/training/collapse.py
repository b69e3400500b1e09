"""When a latent dimension is used, and when a posterior has collapsed. Imports nothing heavy."""

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active when its posterior mean varies more than this over songs (Burda et
al. 2016)."""

COLLAPSED_SHARE = 0.1
"""Below this share of active latent dimensions a posterior counts as collapsed."""


def collapsed(active_units: int | None, latent_dim: int) -> bool:
    """Whether too few dimensions are active; False where none were counted (nothing trained)."""
    return active_units is not None and active_units < COLLAPSED_SHARE * latent_dim
