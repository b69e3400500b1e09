"""What the Snakefile asks: names, paths and jobs of a run, and what is checked before it."""
