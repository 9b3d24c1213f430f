"""What the figures were measured on."""

import platform
from pathlib import Path


def read_processor() -> str:
    """The processor's name where the system tells it, and whether it multiplies bfloat16 itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return name + (" with avx512_bf16" if any("avx512_bf16" in line for line in lines) else "")
