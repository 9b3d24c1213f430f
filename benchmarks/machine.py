"""What the figures were measured on."""

import os
import platform
from pathlib import Path

import torch


def describe_machine() -> str:
    """Cores, processor and torch, in a sentence."""
    return f"{os.cpu_count()} cores of {read_processor()}, torch {torch.__version__}."


def read_processor() -> str:
    """The processor's name where the system tells it, and whether it multiplies bfloat16 itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return name + (" with avx512_bf16" if any("avx512_bf16" in line for line in lines) else "")
