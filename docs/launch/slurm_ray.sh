#!/bin/bash
# A run on a Ray cluster inside a Slurm job: sbatch slurm_ray.sh (settings of the run may follow: sbatch slurm_ray.sh --limit 500)
# One Ray node on each machine, the driver on the first. Submitted again after a time limit or a lost machine, it goes on where it was.
#SBATCH --job-name=dataengine
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=3-00:00:00
#SBATCH --no-kill
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300
set -euo pipefail

# What you set: where this program is installed on every machine, where the root lies (a file system that outlives the job and takes
# locks; only the first machine needs it), the recipe's settings, and a second home, or "" for none.
# Models are brought to TMPDIR where the machines do not see the root.
VENV=${VENV:-$HOME/dataengine/.venv}
ROOT=${ROOT:-$HOME/runs}
CONFIG=${CONFIG:-$PWD/rejection.yaml}
STORE=${STORE:-}

# Five minutes before the time limit the job queues itself again, unless it has just begun: a limit of minutes is a trial.
# Nothing has to be saved: it is on the disk already.
trap '((SECONDS < 120)) || scontrol requeue "$SLURM_JOB_ID"' USR1

source "$VENV/bin/activate"
export RAY_USAGE_STATS_ENABLED=0

# Ray runs whatever reaches its ports: only who has this token is let in. It lies in the home that all machines share.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH=$HOME/.ray/dataengine-$SLURM_JOB_ID
mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
(umask 077; python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")

# This is the first machine. Its address is the one under which the last one sees it: its own name may lead to 127.0.1.1.
last=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -n 1)
head=$(srun --nodes=1 --ntasks=1 --nodelist="$last" printenv SLURM_LAUNCH_NODE_IPADDR)
each=(--num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus "${SLURM_GPUS_ON_NODE:-0}")

start_ray() { # Ray gives a machine 30 s to start; the first look at a cold file system can take longer
    for _ in 1 2 3; do
        ray start "$@" && return
        ray stop --force
    done
    return 1
}
export -f start_ray
start_ray --head --node-ip-address "$head" --port 6379 --include-dashboard=false "${each[@]}"
others=$((SLURM_JOB_NUM_NODES - 1))
if ((others)); then # a machine that is lost takes only itself away
    srun --nodes="$others" --ntasks="$others" --cpus-per-task="$SLURM_CPUS_PER_TASK" --exclude="$SLURMD_NODENAME" \
        --no-kill --kill-on-bad-exit=0 --wait=0 bash -c 'start_ray "$@"' bash --address "$head:6379" --block "${each[@]}" &
fi

# Engines go to the machines that are there when it starts; one that has not come in ten minutes is done without.
python - "$head:6379" "$SLURM_JOB_NUM_NODES" <<'PYTHON'
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False)
end = time.monotonic() + 600
while (there := sum(node["Alive"] for node in ray.nodes())) < int(sys.argv[2]) and time.monotonic() < end:
    time.sleep(1)
print(there, "machines of", sys.argv[2], flush=True)
PYTHON

dataengine run rejection --config "$CONFIG" --root "$ROOT" --store "$STORE" --on ray --ray_address "$head:6379" \
    --engine vllm --vllm.tensor_parallel 1 --vllm.sequences 256 "$@" &
driver=$!
# A signal ends the waiting, not the run; the job ends as the run does, and Slurm ends what it has left on the machines.
until wait "$driver"; do kill -0 "$driver" 2> /dev/null || wait "$driver"; done
