"""From a model or a feature to latents: embedding, baselines, traversals, maps."""
