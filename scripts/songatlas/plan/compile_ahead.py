"""Compile what librosa and UMAP compile at first use; `make setup` runs it."""

import time


def main() -> None:
    """Compile it into the caches beside the packages, or find it there."""
    from songatlas.features.audio import musical_time
    from songatlas.features.audio.descriptors import ready
    from songatlas.latents.projection import import_umap

    started = time.monotonic()
    ready()
    musical_time.ready()
    import_umap()
    print(f"compiled what librosa and UMAP need ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
