"""Every key of a run, its default, range and help: one file a stage; `run` has them all."""
