"""FastAPI: `Guard(app, keys)` puts the keys around an app and into its document; `current_key` is the caller's.

    app = FastAPI()
    Guard(app, APIKeys())

    @app.post("/files", dependencies=[Depends(requires("FILE_UPLOAD"))])
    async def upload(key: Annotated[APIKey, Depends(current_key)]) -> str: ...

Of the other rooms it knows `asgi`, `base`, `integrations.openapi` and `keys`.
"""

from gatepost.integrations.fastapi.caller import current_key as current_key
from gatepost.integrations.fastapi.caller import optional_key as optional_key
from gatepost.integrations.fastapi.guard import Guard as Guard
from gatepost.integrations.openapi import Options as Options
