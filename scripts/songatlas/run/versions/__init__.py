"""Versions of a run: records that travel with results, restoring, provenance, comparing runs."""
