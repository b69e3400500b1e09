"""What every job stands on: identity, log, locks, stop signals, versions."""
