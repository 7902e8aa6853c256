"""One server process of vLLM: its command, its log, and its end with everything it started."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataengine.inference import guard
from dataengine.inference.cpu_cache import cpu_cache
from dataengine.machine import Vllm

TAIL_LINES = 25
CAUSE = re.compile(r"(?:^|\] )((?:\w+\.)*\w*(?:Error|Exception): .+)")
"""An exception's last line, as Python or vLLM's processes write it."""
CAUSES = 3
END_SECONDS = 15.0
NOT_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Variables of this program's environment that would spoil another interpreter's."""
ON_CPU = ("--dtype", "float32", "--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens")
"""On the CPU vLLM 0.32 dies of a request with a seed whose prompt is read in two steps ("CPU Generator does not use offset")."""
BATCHED_TOKENS = 8192
CPU_CACHE = "VLLM_CPU_KVCACHE_SPACE"
SAY_HOW_MUCH = ("--kv-cache-memory-bytes", "--gpu-memory-utilization")
"""Arguments that decide how much memory a server takes; the variable would win over them."""
SETTINGS = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


class Server:
    """`server.start()`, then `server.url`; `server.alive`, `server.tail()`, `server.end()`."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], logs: Path, name: str) -> None:
        """`command` without host and port; `name` begins the names of the log files, one for each attempt."""
        self._command, self._environment, self._logs, self._name = list(command), dict(environment), logs, name
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self.log = Path()
        self.url = ""

    def start(self) -> None:
        """Another attempt, on another port, with a log of its own; at once, the model is loaded later."""
        self.end()
        self._logs.mkdir(parents=True, exist_ok=True)
        self.log = self._new_log()
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [*self._command, "--host", "127.0.0.1", "--port", str(port)]
        watched, self._pipe = os.pipe()
        try:
            with self.log.open("wb") as log:
                log.write(f"$ {' '.join(command)}\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    [sys.executable, "-I", guard.__file__, str(watched), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._logs,
                    env=self._environment,
                    start_new_session=True,
                    pass_fds=[watched],
                )
        finally:
            os.close(watched)

    def _new_log(self) -> Path:
        """The file of the next number, made by us alone: several engines of a node may have one folder for their logs."""
        number = max((int(path.suffixes[-2][1:]) for path in self._logs.glob(f"{self._name}.[0-9]*.log")), default=0)
        while True:
            number += 1
            with contextlib.suppress(FileExistsError):
                (log := self._logs / f"{self._name}.{number:03d}.log").touch(exist_ok=False)
                return log

    @property
    def alive(self) -> bool:
        """Whether it runs, or is still loading."""
        return self._process is not None and self._process.poll() is None

    def tail(self) -> str:
        """The last lines of its log, for an error, and before them what was raised above: vLLM's processes die one after the other, and
        the last one only says that another failed."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.is_file() else []
        # The first line is the command, which may hold anything.
        raised = [found.group(1) for line in lines[1:-TAIL_LINES] if (found := CAUSE.search(line))]
        causes = list(dict.fromkeys(raised))[-CAUSES:]
        shown = [*causes, "...", *lines[-TAIL_LINES:]] if causes else lines[-TAIL_LINES:]
        return "\n".join(f"  | {line[:300]}" for line in shown)

    def end(self) -> None:
        """SIGTERM to the server and all it started, then SIGKILL to what is left."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            _signal(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        os.close(self._pipe)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def servers_for(folder: Path, tokenizer: Path, settings: Vllm, *, context: int, device: str, logs: Path) -> list[Server]:
    """The servers to start: one for each group of GPUs, or one on the CPU; ValueError where there are not so many."""
    gpus = [] if device == "cpu" else list(settings.gpus) or visible_gpus()
    groups = _groups(gpus, settings)
    asked = settings.python or sys.executable
    found = shutil.which(asked)
    if found is None:
        raise ValueError(f"there is no interpreter {asked!r}: give the python of an environment that has vllm with --vllm.python")
    python = str(Path(found).absolute())  # servers run in the folder of the logs
    common = {key: value for key, value in os.environ.items() if key not in NOT_OURS} | SETTINGS
    if not gpus and CPU_CACHE not in common and not any(one.startswith(SAY_HOW_MUCH) for one in settings.arguments):
        common[CPU_CACHE] = str(cpu_cache(folder, context=context, sequences=settings.sequences, servers=len(groups)))
    made = []
    for number, group in enumerate(groups):
        command = [
            str(Path(python).absolute()),
            "-m",
            "vllm.entrypoints.openai.api_server",
            "--model",
            str(folder),
            "--served-model-name",
            folder.name,
        ]
        command += ["--tokenizer", str(tokenizer), "--max-model-len", str(context), "--max-num-seqs", str(settings.sequences)]
        command += ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
        command += ["--tensor-parallel-size", str(settings.tensor_parallel)] if group else [*ON_CPU, str(max(context, BATCHED_TOKENS))]
        environment = common | ({"CUDA_VISIBLE_DEVICES": ",".join(group)} if group else {})
        made.append(Server([*command, *settings.arguments], environment=environment, logs=logs, name=f"vllm-{folder.name}-{number}"))
    return made


def _groups(gpus: Sequence[str], settings: Vllm) -> list[list[str]]:
    """Which GPUs each server gets; [[]] is one server on the CPU."""
    each = settings.tensor_parallel
    if not gpus:
        if each > 1:
            raise ValueError(f"--vllm.tensor_parallel {each} wants GPUs, and none is visible (nvidia-smi -L, CUDA_VISIBLE_DEVICES)")
        return [[] for _ in range(settings.servers or 1)]
    count = settings.servers or len(gpus) // each
    if count * each > len(gpus) or count < 1:
        raise ValueError(
            f"{max(1, count)} servers with {each} GPUs each want {max(1, count) * each} GPUs, there are {len(gpus)} ({', '.join(gpus)}): "
            "lower --vllm.servers or --vllm.tensor_parallel"
        )
    return [list(gpus[number * each : (number + 1) * each]) for number in range(count)]


def visible_gpus() -> list[str]:
    """The GPUs of CUDA_VISIBLE_DEVICES, or all that nvidia-smi lists."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [gpu.strip() for gpu in said.split(",") if gpu.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=60)
    return [str(number) for number, _ in enumerate(re.findall(r"^GPU \d+", listed.stdout, re.MULTILINE))]
