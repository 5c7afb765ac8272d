"""A proxy that CONNECTs any host that it is asked for to one local port, so that fixed addresses end at a test."""

import asyncio
from contextlib import suppress


class ConnectProxy:
    """Runs from `start` to `stop`; `url` is what a client is given as its proxy."""

    def __init__(self) -> None:
        self.url = ""
        self._port = 0
        self._tunnels: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        self._port = port
        self._server = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for task in tuple(self._tunnels):
            task.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tunnels.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
