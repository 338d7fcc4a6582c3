"""What can go wrong in the asset store. Each message is one sentence for whoever made the call; nothing was changed."""


class StoreError(Exception):
    """Base of all that the asset store raises on purpose."""


class BadValueError(StoreError, ValueError):
    """A value makes no sense; the message names it."""


class BadPathError(BadValueError):
    """A path that could lead out of the tree, or that no file system can hold."""


class NotFoundError(StoreError, LookupError):
    """Nothing is there: no such file, directory, label, collection, link or approval."""


class DeniedError(StoreError):
    """The caller may not do that there."""


class ConflictError(StoreError):
    """Something stands in the way: the name is taken, the directory is not empty, the vote is over."""


class TooLargeError(StoreError):
    """More bytes than are allowed."""
