"""Law of the deadline where the work cannot be stopped in time: a caption that comes late is not sent, but not lost."""

import io
import time
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from model.captioner import CaptionGenerator
from tests.bundles import untrained
from tests.pictures import corners, encode
from web.settings import Settings

PHOTO = encode(corners(), "PNG")


class Late:
    """The real captioner, which the first photo reaches a second too late."""

    def __init__(self, captioner: CaptionGenerator) -> None:
        self.beam_width, self.device, self.info = captioner.beam_width, captioner.device, captioner.info
        self.read, self.warm_up = captioner.read, captioner.warm_up
        self.captioner, self.calls = captioner, 0

    def generate(self, *arguments: Any) -> Any:
        *given, _check = arguments
        if not self.calls:
            time.sleep(1)
        self.calls += 1
        return self.captioner.generate(*given)


def predict(client: FlaskClient) -> TestResponse:
    return client.post("/predict", data={"image": (io.BytesIO(PHOTO), "a.png")})


def test_a_caption_that_comes_too_late_is_a_deadline_now_and_an_answer_the_next_time() -> None:
    late = Late(CaptionGenerator(untrained()))
    client = create_app(Settings(deadline_seconds=1), late).test_client()
    first, again = predict(client), predict(client)
    assert (first.status_code, first.get_json()["code"]) == (504, "deadline")
    assert again.status_code == 200 and again.get_json()["cached"] and late.calls == 1
