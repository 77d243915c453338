"""The web service: `create_app()` for gunicorn and tests, `python app.py` to run it without gunicorn."""

import signal
import sys

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import make_server

from model.checksums import fingerprint, verify
from model.errors import CaptionerError
from web.cache import CaptionCache, open_store
from web.captioning import Captioner, CaptionService, load_captioner
from web.limits import register_limits
from web.logs import open_log
from web.metrics import register_metrics
from web.problems import register_problems
from web.rates import RateLimit
from web.routes import routes
from web.settings import Settings
from web.startup import configure_tensorflow, require_free_port
from web.tracing import register_tracing


class CaptionFirst(DefaultJSONProvider):
    """Answers keep the order they are written in."""

    sort_keys = False


def create_app(settings: Settings | None = None, captioner: Captioner | None = None) -> Flask:
    """An app that can caption from its first request on.

    Without `settings` they come from the environment; without a `captioner` the artifact is loaded and warmed
    here, which takes seconds. Raises SettingsError and ArtifactError.
    """
    settings = settings or Settings.from_environment()
    open_log()
    app = Flask(__name__)
    app.json = CaptionFirst(app)
    app.jinja_env.policies["json.dumps_kwargs"] = {}  # nor does a page sort what it shows
    app.config["SETTINGS"] = settings
    cache = CaptionCache(open_store(settings.redis_url, settings.cache_mb), fingerprint(settings.artifacts))
    captioner = captioner or load_captioner(settings.artifacts)
    app.extensions["captions"] = CaptionService(captioner, cache, settings.max_waiting)
    app.extensions["rates"] = RateLimit(settings.rates, settings.redis_url)
    app.wsgi_app = ProxyFix(app.wsgi_app, settings.trusted_proxies, settings.trusted_proxies)  # type: ignore[method-assign]
    register_limits(app, settings.max_upload_bytes)
    register_tracing(app)
    register_metrics(app)
    register_problems(app)
    app.register_blueprint(routes)
    return app


def main() -> None:
    """Serve until Ctrl-C or SIGTERM, without workers; `make run` is the way to serve other people."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = Settings.from_environment()
        verify(settings.artifacts)
        require_free_port(settings.host, settings.port)
        configure_tensorflow(workers=1)
        server = make_server(settings.host, settings.port, create_app(settings), threaded=True)
    except CaptionerError as error:
        sys.exit(f"Cannot start: {error}")
    except KeyboardInterrupt:
        sys.exit(1)
    print(f"Captioning on http://{settings.address} (Ctrl-C stops it)", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
