"""Features as matrices: a row per window or song, streamed and reduced."""
