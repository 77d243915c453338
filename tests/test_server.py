"""The service as it is run: a process of its own, asked over a socket, with a real small artifact."""

import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.captioner import CaptionGenerator
from tests.conftest import COLOURS, picture
from tests.pictures import encode
from tests.servers import GUNICORN, PLAIN, Server, free_port, running, the_one_line


@pytest.fixture(scope="module")
def server(tiny_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(GUNICORN, tiny_artifact, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


def test_caption_over_a_socket_is_the_caption_in_python(server: Server, tiny_artifact: Path) -> None:
    captioner = CaptionGenerator.load(tiny_artifact)
    for number, colour in enumerate(COLOURS.values()):
        photo = encode(picture(colour, seed=100 + number), "PNG")
        status, answer = server.caption(photo)
        assert (status, answer["caption"]) == (200, captioner.predict(photo))
        assert answer["model"] == captioner.info


def test_health_and_page_over_a_socket(server: Server) -> None:
    status, health = server.ask("GET", "/health")
    assert status == 200 and isinstance(health, dict)
    assert (health["status"], health["device"]) == ("healthy", "cpu")
    status, page = server.ask("GET", "/")
    assert status == 200 and '<form id="form"' in page


def test_eight_clients_at_once_get_the_captions_of_one_after_the_other(server: Server) -> None:
    photos = [encode(picture(colour), "PNG") for colour in COLOURS.values()] * 2
    alone = [server.caption(photo)[1]["captions"] for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        together = [answer["captions"] for _, answer in pool.map(server.caption, photos)]
    assert together == alone


def test_body_over_the_limit_is_answered_and_not_cut_off(server: Server) -> None:
    status, answer = server.caption(bytes(11 * 2**20))
    assert (status, answer["code"]) == (413, "too_large")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_master_never_loads_tensorflow(server: Server) -> None:
    assert "tensorflow" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_ctrl_c_ends_the_server_quietly(server: Server) -> None:
    assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log.read_text()


def test_python_app_serves_until_sigterm(tiny_artifact: Path, tmp_path: Path) -> None:
    with running(PLAIN, tiny_artifact, tmp_path / "log") as server:
        assert server.caption(encode(picture(COLOURS["red"]), "JPEG"))[0] == 200
        assert server.stop(signal.SIGTERM) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_bad_start_of_python_app_is_one_line_and_no_server(tiny_artifact: Path, tmp_path: Path) -> None:
    """gunicorn's: `reliability/test_starts.py`."""
    altered, port = Path(shutil.copytree(tiny_artifact, tmp_path / "altered")), free_port()
    with (altered / "decoder.npz").open("ab") as weights:
        weights.write(b"!")
    assert "nowhere" in the_one_line(PLAIN, tmp_path / "nowhere", port)
    assert "decoder.npz" in the_one_line(PLAIN, altered, port)
    assert "PORT" in the_one_line(PLAIN, tiny_artifact, port, PORT="http")
    with socket.create_server(("127.0.0.1", port)):
        assert str(port) in the_one_line(PLAIN, tiny_artifact, port)
