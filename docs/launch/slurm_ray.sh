#!/bin/bash
# A run on a Ray cluster inside a Slurm job: sbatch slurm_ray.sh
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
VENV=${VENV:-$HOME/dataengine/.venv}
ROOT=${ROOT:-$HOME/runs}
CONFIG=${CONFIG:-$PWD/rejection.yaml}
STORE=${STORE:-}

source "$VENV/bin/activate"
export RAY_USAGE_STATS_ENABLED=0
export TMPDIR=${TMPDIR:-/tmp}   # models are brought here where the machines do not see the root

# Ray runs whatever reaches its ports: only who has this token is let in.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH=$HOME/.ray/dataengine-$SLURM_JOB_ID
mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
(umask 077; python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# Five minutes before the time limit the job queues itself again. Nothing has to be saved: it is on the disk already.
trap 'scontrol requeue "$SLURM_JOB_ID"' USR1

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):6379

srun --kill-on-bad-exit=0 ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-gpus "$SLURM_GPUS_ON_NODE" --num-cpus "$SLURM_CPUS_PER_TASK" -- \
    dataengine run rejection --config "$CONFIG" --root "$ROOT" --store "$STORE" --on ray --ray_address "$address" \
    --engine vllm --vllm.tensor_parallel 1 --vllm.sequences 256 &
wait $!
