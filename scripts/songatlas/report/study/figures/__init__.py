"""Figures of the reference study, from a run's `tables/paper_*`."""
