"""By design: an idle loop of asyncio."""

import asyncio
import sys


async def main():
    server = await asyncio.start_server(print, "127.0.0.1", 0)
    open(sys.argv[1], "w").close()
    await server.serve_forever()


asyncio.run(main())
