"""Errors that a user can act on."""


class SongatlasError(Exception):
    """Something the user can mend: the message names the file or config key and says what to do.

    Entry scripts print the message alone; any other exception is a bug and keeps its traceback.
    """


class ConfigError(SongatlasError):
    """The configuration is wrong; the message lists every problem at once."""


class NotApplicable(SongatlasError):  # noqa: N818 - says what is so, not what went wrong
    """A model cannot be trained on this corpus (no audio, no label): null rows carry the message.

    Never ends a run, since the other models and baselines can still be compared.
    """


class TableError(SongatlasError):
    """A table does not follow its schema; the message names file, column and row."""


class OtherVersionError(TableError):
    """A table was written with another schema version."""
