"""What can go wrong with loading."""


class LoaderError(Exception):
    """Candles that cannot be loaded as asked; the message names the path, the cause, the remedy."""


class MissingPackageError(LoaderError, ImportError):
    """A package that a conversion needs is not installed; the message names it."""
