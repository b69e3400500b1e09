"""The explorer: a run's map, sound, clusters and neighbours as one folder for the browser."""
