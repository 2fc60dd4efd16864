"""What clients asked: counts, faults injected and arrival times per exchange."""

import threading
import time
from collections import Counter, deque
from typing import Any, NamedTuple

__all__ = ["ArrivedRequest", "RequestsLog"]

MOST_TIMES = 100_000


class ArrivedRequest(NamedTuple):
    """A request for candles or trades: when it arrived by the machine's clocks, its outcome."""

    monotonic_seconds: float
    wall_ms: int
    url: str  # path and query as sent
    fault: str | None


class _ExchangeLog:
    def __init__(self) -> None:
        self.candle_requests = 0
        self.trade_requests = 0
        self.other_requests = 0
        self.faults: Counter[str] = Counter()
        self.arrived: deque[ArrivedRequest] = deque(maxlen=MOST_TIMES)


class RequestsLog:
    """Requests per exchange since the start or the last reset; safe to read from any thread."""

    def __init__(self, exchanges: tuple[str, ...]) -> None:
        self._exchanges = exchanges
        self._lock = threading.Lock()
        self._logs = {exchange: _ExchangeLog() for exchange in exchanges}

    def reset(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._logs = {exchange: _ExchangeLog() for exchange in self._exchanges}

    def add_candle_request(self, exchange: str, url: str, fault: str | None) -> None:
        """Note a candle request that arrives now, with the fault that hits it."""
        with self._lock:
            self._logs[exchange].candle_requests += 1
        self.note_arrival(exchange, url, fault)

    def add_trade_request(self, exchange: str, url: str, fault: str | None) -> None:
        """The same of a request for trades."""
        with self._lock:
            self._logs[exchange].trade_requests += 1
        self.note_arrival(exchange, url, fault)

    def note_arrival(self, exchange: str, url: str, fault: str | None) -> None:
        """Note a request for candles or trades beside its count. Tests put a hook here."""
        with self._lock:
            log = self._logs[exchange]
            if fault is not None:
                log.faults[fault] += 1
            log.arrived.append(
                ArrivedRequest(time.monotonic(), time.time_ns() // 1_000_000, url, fault)
            )

    def add_other_request(self, exchange: str) -> None:
        """Note any other request."""
        with self._lock:
            self._logs[exchange].other_requests += 1

    def arrived(self, exchange: str) -> list[ArrivedRequest]:
        """The newest requests for candles or trades (at most 100,000), oldest first."""
        with self._lock:
            return list(self._logs[exchange].arrived)

    def candle_request_count(self, exchange: str) -> int:
        """All candle requests of an exchange."""
        with self._lock:
            return self._logs[exchange].candle_requests

    def trade_request_count(self, exchange: str) -> int:
        """All requests of an exchange for trades."""
        with self._lock:
            return self._logs[exchange].trade_requests

    def other_request_count(self, exchange: str) -> int:
        """All other requests (markets, currencies, time, unknown paths) of an exchange."""
        with self._lock:
            return self._logs[exchange].other_requests

    def fault_counts(self, exchange: str) -> dict[str, int]:
        """Faults injected by kind."""
        with self._lock:
            return dict(self._logs[exchange].faults)

    def as_json(self) -> dict[str, Any]:
        """The answer of `GET /_requests`."""
        with self._lock:
            return {
                exchange: {
                    "candle_requests": log.candle_requests,
                    "trade_requests": log.trade_requests,
                    "other_requests": log.other_requests,
                    "faults": dict(log.faults),
                    "arrived": [request._asdict() for request in log.arrived],
                }
                for exchange, log in self._logs.items()
            }
