"""A server that answers every request at once for so many seconds, and none that comes later; prints its port."""

import asyncio
import os
import sys
import time

ENDS = time.monotonic() + float(sys.argv[1])


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        if time.monotonic() > ENDS:
            await asyncio.sleep(3600)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    os.write(1, b"%d\n" % server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
