"""What an operator wants to know, for Prometheus: requests by outcome, seconds by part, cache hits, requests in flight.

Of several processes each answers for all of them: they share a folder, of which `web/figures.py` takes care.
"""

import logging
import os
from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from web.figures import VARIABLE
from web.logs import write_log

_FILES = ("counter", "histogram", "gauge_livesum")  # those of a process, as prometheus-client names them
_FILE_BYTES = 2**16  # more than all our figures take
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one app."""

    def __init__(self) -> None:
        """Raises OSError where there is no room for them."""
        if VARIABLE in os.environ and hasattr(os, "posix_fallocate"):
            _take_room(Path(os.environ[VARIABLE]))
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "captioner_requests", "Requests answered.", ["route", "status", "outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "captioner_seconds", "Time of each part of a request.", ["part"], buckets=_SECONDS, registry=self._registry
        )
        self._captions = Counter(
            "captioner_captions", "Photos captioned, or known from before.", ["cached"], registry=self._registry
        )
        self._in_flight = Gauge(
            "captioner_in_flight", "Requests being served.", registry=self._registry, multiprocess_mode="livesum"
        )

    def begin(self) -> None:
        """Before every request."""
        self._in_flight.inc()
        g.in_flight = True

    def answered(self, response: Response) -> Response:
        """After every request. The route rather than the path, so that strangers cannot make up labels."""
        route = request.url_rule.rule if request.url_rule else "none"
        self._requests.labels(route, response.status_code, g.get("outcome", "ok")).inc()
        if "cached" in g:
            self._captions.labels(str(g.cached).lower()).inc()
        for part, seconds in {**g.get("seconds", {}), "request": perf_counter() - g.started}.items():
            self._seconds.labels(part).observe(seconds)
        return response

    def end(self, _: BaseException | None = None) -> None:
        """When a request is over, however it ended."""
        if g.pop("in_flight", False):
            self._in_flight.dec()

    def show(self) -> Response:
        """`GET /metrics`."""
        registry = self._registry
        if VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def register_metrics(app: Flask) -> None:
    """After `register_tracing`, whose clock they read. A process for whose figures there is no room goes without."""
    try:
        metrics = Metrics()
    except OSError as error:
        write_log("no room for metrics", level=logging.WARNING, error=error)
        return
    app.before_request(metrics.begin)
    app.after_request(metrics.answered)
    app.teardown_request(metrics.end)
    app.add_url_rule("/metrics", view_func=metrics.show)


def _take_room(folder: Path) -> None:
    """Make the files of this process whole, before they are mapped: writing to a page that a full disk has no room for
    would kill the process. Raises OSError.
    """
    for name in _FILES:
        with (folder / f"{name}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
