"""A vLLM server on the CPU takes what its sequences need and never most of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.inference import cpu_cache as module
from dataengine.inference.cpu_cache import GIB, bytes_of_a_token, cpu_cache, free_bytes
from dataengine.inference.server import CPU_CACHE, Server, servers_for
from dataengine.machine import Vllm

BASE = Path(__file__).resolve().parents[3] / "dataengine" / "recipes" / "tiny_base" / "base"


def model(folder: Path, **told: object) -> Path:
    (folder / "config.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 GiB are free."""
    monkeypatch.setattr(module, "free_bytes", lambda: 24 * GIB)


@pytest.mark.usefixtures("free")
def test_a_small_model_gets_what_its_sequences_need(tmp_path: Path) -> None:
    eight_layers = model(tmp_path, num_hidden_layers=8, num_attention_heads=16, num_key_value_heads=4, hidden_size=1024)
    assert bytes_of_a_token(eight_layers) == 2 * 8 * 4 * 64 * 4
    assert cpu_cache(eight_layers, context=4096, sequences=64, servers=1) == 4
    assert cpu_cache(BASE, context=512, sequences=256, servers=1) == 1


@pytest.mark.usefixtures("free")
def test_a_large_model_gets_half_of_what_is_free_and_several_servers_share_it(tmp_path: Path) -> None:
    large = model(tmp_path, text_config={"num_hidden_layers": 64, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128})
    assert [cpu_cache(large, context=32_768, sequences=256, servers=servers) for servers in (1, 2, 100)] == [12, 6, 1]


def test_free_memory_is_what_the_system_and_the_control_group_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE", tmp_path / "meminfo")
    monkeypatch.setattr(module, "GROUP", tmp_path)
    assert free_bytes() == 4 * GIB
    (tmp_path / "meminfo").write_text("MemTotal:       64 kB\nMemAvailable:   8388608 kB\n")
    assert free_bytes() == 8 * GIB
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    assert free_bytes() == 8 * GIB
    (tmp_path / "memory.max").write_text(f"{3 * GIB}\n")
    assert free_bytes() == 2 * GIB


@pytest.mark.usefixtures("free")
def test_the_variable_is_set_where_nobody_has_said_how_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def space(*arguments: str, device: str = "cpu") -> str | None:
        (server,) = servers_for(BASE, BASE, Vllm(arguments=arguments), context=512, device=device, logs=tmp_path)
        return environment(server).get(CPU_CACHE)

    monkeypatch.delenv(CPU_CACHE, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert space() == "1"
    assert space("--kv-cache-memory-bytes", "1000000") is None
    assert space("--gpu-memory-utilization=0.3") is None
    assert space(device="cuda") is None
    monkeypatch.setenv(CPU_CACHE, "7")
    assert space() == "7"


def environment(server: Server) -> dict[str, str]:
    return server._environment
