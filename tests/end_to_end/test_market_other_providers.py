"""An exchange of ccxt's and a folder of recordings, set up by the environment alone."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Final

import grpc
import pytest

from adapters.clock import AcceleratedClock
from quantmesh.marketdata.v1.market_data_query_pb2 import GetOrderBookRequest
from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest
from quantmesh.marketdata.v1.provider_pb2 import ListProvidersRequest
from tests.end_to_end.books import eventually
from tests.end_to_end.vendor_desk import MINUTE, bars, opens, prices, quote, refused, serving, utc
from tests.end_to_end.vendor_streams import reading
from tests.support.recordings import write
from tests.support.server import Site
from tests.support.vendors.binance import KLINES, Binance, serve
from tests.support.vendors.binance_data import candle, milliseconds
from tests.support.vendors.polygon_market import NOW

pytestmark = pytest.mark.timeout(120)

_SECOND: Final = timedelta(seconds=1)


async def test_an_exchange_of_ccxts_serves_candles_books_and_quotes(tmp_path: Path) -> None:
    # Its clock is a second or two ahead of the server's, as that takes so long to start.
    async with serve(Binance(AcceleratedClock(1, NOW).now)) as binance:
        settings = {"market_routes": "*/USDT=ccxt", "ccxt_mirrors": json.dumps(binance.mirrors)}
        async with serving(Site(tmp_path), **settings) as desk:
            start, client = NOW - 60 * MINUTE, desk.client
            listed = await bars(client, "BTC/USDT", start, start + 30 * MINUTE)
            assert opens(listed) == [start + n * MINUTE for n in range(30)]
            first = candle("BTCUSDT", "1m", milliseconds(start))
            assert [f"{price:.8f}" for price in prices(listed.bars[0])] == list(first[1:6])
            assert not listed.gaps
            best = await quote(client, "BTC/USDT")
            assert (best.bid_price, best.ask_price, best.provider) == ("150", "150.5", "ccxt")
            book = await client.market.GetOrderBook(GetOrderBookRequest(symbol="BTC/USDT", depth=3))
            assert [one.price for one in book.order_book.bids] == ["150", "149.9", "149.8"]
            binance.answer(KLINES, 503, "<html>", times=10)
            failed = await refused(bars(client, "BTC/USDT", start - 60 * MINUTE, start))
            assert failed.reason == "MARKET_DATA_UNAVAILABLE"


async def test_files_that_are_dropped_into_a_folder_are_served_and_played(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    settings = {"replay_folder": folder, "replay_rescan_seconds": 0.05, "market_routes": "XYZ=replay"}
    async with serving(Site(tmp_path), **settings) as desk:
        providers = (await desk.client.market.ListProviders(ListProvidersRequest())).providers
        assert [one.available for one in providers if one.name == "replay"] == [True]
        assert (await refused(bars(desk.client, "XYZ"))).reason == "INSTRUMENT_NOT_FOUND"

        now = await desk.now()
        minutes = [NOW - n * MINUTE for n in (30, 29, 28, 26)]
        ticks = [now + n * _SECOND for n in (-60, 1, 2, 3)]
        write(
            folder / "bars/XYZ.1m.csv",
            {"time": [at.isoformat() for at in minutes]}
            | {name: [10, 11, 12, 13] for name in ("open", "high", "low", "close", "volume")},
        )
        write(
            folder / "quotes/XYZ.parquet",
            {
                "time": ticks,
                "bid": [9.5, 9.6, 9.7, 9.8],
                "ask": [10.5, 10.6, 10.7, 10.8],
                "bid_size": [1, 2, 3, 4],
                "ask_size": [1, 2, 3, 4],
            },
        )

        async def listed() -> bool:
            try:
                found = await bars(desk.client, "XYZ", minutes[0], minutes[-1] + MINUTE)
            except grpc.aio.AioRpcError:
                return False
            assert opens(found) == minutes
            assert [utc(gap.start_time) for gap in found.gaps] == [NOW - 27 * MINUTE]
            return True

        await eventually(listed, "the files were not found")
        stream = desk.client.market.StreamQuotes(StreamQuotesRequest(symbols=["XYZ"]))
        async with reading(stream) as (reader,):
            quotes = await reader.has("quote", 4)
            assert [one.bid_price for one in quotes] == ["9.5", "9.6", "9.7", "9.8"]
