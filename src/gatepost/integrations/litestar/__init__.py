"""Litestar: `Guard(keys)` is a plugin that puts the keys around an app and into its document.

app = Litestar([upload], plugins=[Guard(APIKeys())])

@post("/files", guards=[requires("FILE_UPLOAD")])
async def upload(api_key: CurrentKey) -> str: ...
"""

from gatepost.integrations.litestar.guard import CurrentKey as CurrentKey
from gatepost.integrations.litestar.guard import Guard as Guard
