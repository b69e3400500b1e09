"""One file per architecture; `registry` names them as strings and imports on demand."""
