"""The addresses of the service: the page, the API, the health check."""

from flask import Blueprint, current_app, g, render_template, request
from flask.typing import ResponseReturnValue

from web.admission import Deadline
from web.captioning import Answer, CaptionService
from web.codes import CODES
from web.openapi import describe
from web.preview import preview
from web.problems import Problem
from web.uploads import Options, read_options, read_photo

routes = Blueprint("routes", __name__)


@routes.get("/")
def page() -> ResponseReturnValue:
    """The upload page."""
    return render_template("index.html")


@routes.post("/")
def page_with_caption() -> ResponseReturnValue:
    """The target of the page's form where there is no JavaScript."""
    upload, _, answer = caption_upload()
    return render_template("index.html", answer=answer, photo=preview(upload))


@routes.post("/predict")
def predict() -> ResponseReturnValue:
    """The API, and what the page's script calls."""
    upload, options, answer = caption_upload()
    body = answer.as_json()
    if options.return_image:
        body["image"] = preview(upload).url
    return body


@routes.get("/health")
def health() -> ResponseReturnValue:
    """200 if a photo sent now would get a caption, else 503."""
    captioner = require_ready().captioner
    return {"status": "healthy", "device": captioner.device, "model": dict(captioner.info)}


@routes.get("/health/ready")
def ready() -> ResponseReturnValue:
    """The same in a word, for whoever decides where to send photos."""
    require_ready()
    return {"status": "ready"}


@routes.get("/health/live")
def live() -> ResponseReturnValue:
    """200 as long as the process answers at all, for whoever would restart it otherwise."""
    return {"status": "alive"}


@routes.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """The API, for programs."""
    return describe(current_app.config["SETTINGS"])


@routes.get("/docs")
def docs() -> ResponseReturnValue:
    """The same, for people."""
    return render_template("docs.html", api=describe(current_app.config["SETTINGS"]), codes=CODES)


def require_ready() -> CaptionService:
    """The service. Raises Problem `unavailable` while it cannot caption, or is not to get new photos."""
    service = caption_service()
    if not service.is_ready():
        reason = "it is about to stop" if service.draining else "its log has the reason"
        raise Problem("unavailable", f"This server takes no photos at the moment: {reason}.")
    return service


def caption_upload() -> tuple[bytes, Options, Answer]:
    """Everything this request asks for. Raises Problem, ImageError, and werkzeug's 413."""
    current_app.extensions["rates"].count(request.remote_addr)
    service = caption_service()
    g.deadline = Deadline(g.started, current_app.config["SETTINGS"].deadline_seconds)
    upload = read_photo(request)
    g.deadline.check()
    options = read_options(request, service.captioner.beam_width)
    answer = service.caption(upload, options, g.deadline)
    g.seconds, g.cached = answer.rounded_seconds, answer.cached
    g.deadline.check()  # a batch goes on while one of its photos has time left
    return upload, options, answer


def caption_service() -> CaptionService:
    """The service of the current app, as `create_app` put it there."""
    service: CaptionService = current_app.extensions["captions"]
    return service
