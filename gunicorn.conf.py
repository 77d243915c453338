"""gunicorn --config gunicorn.conf.py "app:create_app()"

The master never loads TensorFlow, which does not survive a fork: each worker loads and warms its own
captioner, and only then takes requests. What can be checked beforehand is, so that a bad start is one line.
"""

import sys
from pathlib import Path
from tempfile import gettempdir

from gunicorn.arbiter import Arbiter

from model.checksums import verify
from model.errors import CaptionerError
from web.figures import make_folder, remove_folder
from web.settings import Settings
from web.startup import configure_tensorflow, require_free_port
from web.worker import Worker

try:
    settings = Settings.from_environment()
except CaptionerError as error:
    sys.exit(f"Cannot start: {error}")

configure_tensorflow(settings.workers)


def on_starting(server: Arbiter) -> None:
    """Refuse before the first fork what would only fail in every worker."""
    try:
        verify(settings.artifacts)
        if server.master_pid == 0:  # else a running master hands its sockets over
            require_free_port(settings.host, settings.port)
    except CaptionerError as error:
        sys.exit(f"Cannot start: {error}")
    make_folder(Path(worker_tmp_dir or gettempdir()))


def child_exit(server: Arbiter, worker: Worker) -> None:
    """What a worker had in flight went with it."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Arbiter) -> None:
    """Leave nothing of ours behind."""
    remove_folder()


bind = settings.address
workers = settings.workers
threads = settings.max_waiting + 9  # one captions, some wait for it, eight take uploads and answer health checks
worker_class = Worker
timeout = 120  # seconds a worker may take to load, on a slow machine
graceful_timeout = settings.deadline_seconds + 10  # to answer what it has when it is told to stop
# Heartbeats need no disk, which may be read-only; gunicorn makes an unlinked file of its own there.
memory = Path("/dev/shm")  # noqa: S108
worker_tmp_dir = str(memory) if memory.is_dir() else None
control_socket_disable = True
