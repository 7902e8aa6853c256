#!/bin/bash
# A run on one machine with eight GPUs, without Ray: sbatch slurm_one_machine.sh (settings of the run may follow: --limit 500)
# Submitted again after a time limit or a lost machine, it goes on where it was.
#SBATCH --job-name=dataengine
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=3-00:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300
set -euo pipefail

# What you set: where this program is installed, where the root lies (a file system that outlives the job and takes locks), the recipe's
# settings, and a second home, or "" for none.
VENV=${VENV:-$HOME/dataengine/.venv}
ROOT=${ROOT:-$HOME/runs}
CONFIG=${CONFIG:-$PWD/rejection.yaml}
STORE=${STORE:-}

# Five minutes before the time limit the job queues itself again, unless it has just begun: a limit of minutes is a trial.
# Nothing has to be saved: it is on the disk already.
trap '((SECONDS < 120)) || scontrol requeue "$SLURM_JOB_ID"' USR1

source "$VENV/bin/activate"
dataengine run rejection --config "$CONFIG" --root "$ROOT" --store "$STORE" --workers "$SLURM_CPUS_PER_TASK" \
    --engine vllm --vllm.tensor_parallel 1 "$@" &
driver=$!
# A signal ends the waiting, not the run; the job ends as the run does.
until wait "$driver"; do kill -0 "$driver" 2> /dev/null || wait "$driver"; done
