"""The end of a request that was let in, where there is more to do than to forget it."""

from gatepost.asgi.current import Served, serving, set_serving
from gatepost.asgi.streams import Stream
from gatepost.limits import RequestLimits


def unwind(served: Served, outer: Served | None) -> Stream | None:
    """A request is over that was served within another, that failed, or whose response was a stream: that stream."""
    stream: Stream | None = served[3]
    served.clear()
    if outer and serving() is served:  # not where a garbage collector closes what was lost
        set_serving(outer)
    if stream is not None:
        stream.leave()
    return stream


async def finish(served: Served, outer: Served | None) -> None:
    """The app is done with such a request. Raises `ConnectionEndedError` for a response that was ended."""
    stream = unwind(served, outer)
    if stream is not None and stream.outcome is not None:
        await stream.cut()


async def end(served: Served, outer: Served | None, raised: BaseException | None) -> None:
    """The end of `__call__` for a request that compiled code let in, where more is to be done than to forget it. Raises
    what the app raised, or `ConnectionEndedError`."""
    if raised is not None and (served[3] is None or not served[3].absorbs(raised)):
        unwind(served, outer)
        try:
            raise raised
        finally:
            del raised  # or the error holds this frame, which holds the error
    await finish(served, outer)


async def end_limited(
    served: Served, outer: Served | None, raised: BaseException | None, limits: RequestLimits
) -> None:
    """As `end`, where the request's limits have an end too."""
    try:
        await limits.end()
    finally:
        try:
            await end(served, outer, raised)
        finally:
            del raised  # as there
