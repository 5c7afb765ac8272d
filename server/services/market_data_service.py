"""MarketDataService: what there is to trade, what it costs now, what it did cost, live and on request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from google.protobuf.message import Message

from application.market_data.bar_tape import BarTape
from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.queries.get_instrument_query import GetInstrument
from application.market_data.queries.get_order_book_query import GetOrderBook
from application.market_data.queries.get_quote_query import BatchGetQuotes, GetQuote
from application.market_data.queries.list_bars_query import ListBars
from application.market_data.queries.list_instruments_query import ListInstruments
from application.market_data.queries.list_providers_query import ListProviders
from application.market_data.queries.search_instruments_query import SearchInstruments
from application.market_data.subscriber import Delivery
from application.market_data.topics import Channel, Topic
from application.ports.clock import Clock
from application.ports.market_data import LatestQuotes, MarketData
from domain.market_data.bar import Bar
from quantmesh.marketdata.v1 import (
    bar_pb2,
    instrument_pb2,
    instrument_query_pb2,
    market_data_query_pb2,
    market_data_stream_pb2,
    provider_pb2,
    subscription_pb2,
)
