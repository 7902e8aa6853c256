"""How much memory a vLLM server on the CPU may take for keys and values: what its sequences need, within a share of what is free."""

from __future__ import annotations

import json
import math
from pathlib import Path

GIB = 1 << 30
OF_FREE = 0.5
"""Share of the free memory that all our servers on the CPU may take together; weights and everything else need room, too."""
BYTES = 4
"""Of a number: servers on the CPU compute in float32."""
UNKNOWN = 4
"""GiB that are taken for free where the system does not say."""
FREE = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def cpu_cache(folder: Path, *, context: int, sequences: int, servers: int) -> int:
    """GiB for each of so many servers (VLLM_CPU_KVCACHE_SPACE); by itself vLLM takes nine tenths of the machine's memory."""
    needed = math.ceil(context * sequences * bytes_of_a_token(folder) / GIB)
    return max(1, min(needed, int(OF_FREE * free_bytes() / GIB / servers)))


def bytes_of_a_token(folder: Path) -> int:
    """Keys and values of one token in every layer of a model; a configuration that does not tell is taken for one without grouped heads."""
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told = {**told, **(told.get("text_config") or {})}
    heads, width = told.get("num_attention_heads") or 1, told.get("hidden_size") or 4096
    key_heads, head = told.get("num_key_value_heads") or heads, told.get("head_dim") or width // heads
    return 2 * (told.get("num_hidden_layers") or 32) * key_heads * head * BYTES


def free_bytes() -> int:
    """Memory that can be taken without swapping, within the limit of this program's control group."""
    free = UNKNOWN * GIB
    if FREE.is_file():
        lines = dict(line.split(":", 1) for line in FREE.read_text(encoding="ascii").splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else free
    limit, used = GROUP / "memory.max", GROUP / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()).isdigit():
        free = min(free, max(0, int(most) - int(used.read_text())))
    return free
