"""What every doorbell can do; by itself it is the one that never rings."""

import asyncio


class Doorbell:
    """Tells workers to poll now. A ring may be lost, doubled, late or idle: the poll decides (docs/decisions/0044).

    `nudged`: set at each ring, and where one may have been missed; who polls clears it.
    """

    def __init__(self) -> None:
        self.nudged = asyncio.Event()

    @property
    def hears(self) -> bool:
        """Whether a ring would be heard now, as far as is known. False for one that never rings."""
        return False

    @property
    def fault(self) -> str | None:
        """Why it does not hear although it could, in a line; `None` where all is well, or nobody listens."""
        return None

    def listen(self) -> None:
        """Begin to hear, in the background. Returns at once and raises nothing; called again it does nothing."""

    async def nudge(self) -> None:
        """Ring at every worker, after a commit. Raises nothing for a fault of the database."""

    async def close(self) -> None:
        """Hear nothing any more."""
