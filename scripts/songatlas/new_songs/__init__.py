"""New songs in a finished run."""
