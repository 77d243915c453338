"""What has to be right before a server starts. Nothing here loads TensorFlow."""

import errno
import os
import socket

from model.errors import SettingsError


def cores() -> int:
    """Processors this process may use: a container's share, not the whole machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def configure_tensorflow(workers: int) -> None:
    """Share the cores between the workers and keep the logs quiet.

    TensorFlow reads these variables once, at its first import: call this before. What the user has set stays.
    """
    threads = str(max(1, cores() // workers))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def require_free_port(host: str, port: int) -> None:
    """Raise SettingsError, naming the host or the port, where nobody could listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(
                f"HOST must be an address of this machine, not {host!r}: correct it, or unset it to use 127.0.0.1."
            ) from error
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address, which is named already
        raise SettingsError(
            f"Port {port} on {host} must be free to listen on, but the system says: {reason}. "
            "Stop what uses it, or choose another with PORT (and HOST)."
        ) from error
