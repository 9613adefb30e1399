"""Makes each request ROUNDS times with httpx, asynchronously, and counts the responses that arrive.

usage: python tests/clients/httpx_client.py URL ROUNDS 1|2 [CERTIFICATE]
"""

import asyncio
import pathlib
import ssl
import sys

import httpx

BASE, ROUNDS, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TRUST = ssl.create_default_context(cafile=sys.argv[4]) if len(sys.argv) > 4 else False
TABLE = pathlib.Path(__file__).with_name("requests.tsv").read_text().splitlines()


async def in_pieces(size):
    piece = b"x" * 10_000
    for at in range(0, size, len(piece)):
        yield piece[: size - at]


BODIES = {"whole": lambda size: b"x" * size, "in pieces": in_pieces}


async def ask(client, line, body):
    """Returns whether the response arrived, and what arrived instead."""
    status, method, path, content_type, size = line.split("\t")
    try:
        answer = await client.request(
            method, BASE + path, headers={"content-type": content_type}, content=body(int(size))
        )
    except httpx.HTTPError as error:
        return False, repr(error)
    if answer.status_code == int(status) and answer.content:
        return True, ""
    return False, f"status {answer.status_code}, {len(answer.content)} bytes"


async def play():
    is_complete = True
    client = httpx.AsyncClient(http1=VERSION == "1", http2=VERSION == "2", verify=TRUST, trust_env=False, timeout=30)
    async with client:
        for line in TABLE:
            for kind, body in BODIES.items():
                outcomes = [await ask(client, line, body) for _ in range(ROUNDS)]
                answered = sum(came for came, _ in outcomes)
                last = next((instead for came, instead in reversed(outcomes) if not came), "")
                status, method, _, _, size = line.split("\t")
                print(f"{status} {method}, {size} bytes {kind}: {answered} of {ROUNDS} {last}".strip(), flush=True)
                is_complete = is_complete and answered == ROUNDS
    return is_complete


sys.exit(0 if asyncio.run(play()) else 1)
