"""What the processor can do, by the names that Linux gives it."""

from pathlib import Path

# Units that multiply in eight bits and add up in thirty-two. Without them OpenVINO adds up in sixteen, which overflow.
_INT8 = {"avx512_vnni", "avx_vnni", "amx_int8"}
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def cpuinfo(field: str) -> str:
    """A line of /proc/cpuinfo, of the first core; empty where there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def reduced_precision_units() -> set[str]:
    """The units for bfloat16 and int8; none where it is not known."""
    return (_INT8 | _BFLOAT16) & set(cpuinfo("flags").split())


def has_int8_units() -> bool:
    """Whether sums of products of bytes are quick and exact."""
    return bool(_INT8 & reduced_precision_units())
