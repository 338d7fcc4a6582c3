"""A client in TypeScript, whose types a generator from npm makes of the document: it compiles, and is told why not."""

import asyncio
import os
import shutil
from pathlib import Path

import orjson
import pytest

from gatepost import APIKeys
from tests.admin.api.site import serving
from tests.frameworks.conftest import Issuance
from tests.integrations.fastapi_app import make

PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")

CLIENT = """
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [baseUrl, reader, uploader] = process.argv.slice(2);

async function main() {
  const read = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${reader}` } });
  const me = await read.GET("/me");
  const refused = await read.POST("/scopes", { body: { name: "a" } });
  const problem = refused.error;
  if (problem === undefined || !("missing" in problem)) throw new Error("not refused");
  const write = createClient<paths>({ baseUrl, headers: { "X-API-Key": uploader } });
  const done = await write.POST("/scopes", { body: { name: "a" } });
  const seen = [me.response.status, refused.response.status, problem.message, problem.missing, done.data];
  console.log(JSON.stringify(seen));
}

main();
"""


async def run(folder: Path, *command: str) -> str:
    """What a command prints."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return told.decode()


@pytest.mark.skipif(shutil.which("npm") is None and "CI" not in os.environ, reason="no npm on this machine")
async def test_a_client_in_typescript_calls_and_is_told_why_not(
    keys: APIKeys, issuance: Issuance, tmp_path: Path
) -> None:
    app = make(keys)
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(app.openapi()))
    (tmp_path / "client.ts").write_text(CLIENT)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    await run(tmp_path, "npm", "install", "--no-save", "--no-audit", "--no-fund", *PACKAGES)
    await run(tmp_path, "npx", "openapi-typescript", "openapi.json", "-o", "schema.d.ts")
    options = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom")
    (tmp_path / "node.d.ts").write_text("declare const process: { argv: string[] };\n")
    await run(tmp_path, "npx", "tsc", *options, "client.ts", "node.d.ts")
    async with serving(app) as origin:
        printed = await run(tmp_path, "node", "client.js", origin, issuance.reader.secret, issuance.uploader.secret)
    message = "The API key lacks a permission that this needs."
    assert orjson.loads(printed) == [200, 403, message, ["FILE_UPLOAD"], "done"]
