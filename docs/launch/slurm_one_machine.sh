#!/bin/bash
# A run on one machine with eight GPUs, without Ray: sbatch slurm_one_machine.sh
#SBATCH --job-name=dataengine
#SBATCH --nodes=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --mem=0
#SBATCH --time=3-00:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300
set -euo pipefail

VENV=${VENV:-$HOME/dataengine/.venv}
ROOT=${ROOT:-$HOME/runs}
CONFIG=${CONFIG:-$PWD/rejection.yaml}
STORE=${STORE:-}

source "$VENV/bin/activate"
trap 'scontrol requeue "$SLURM_JOB_ID"' USR1
dataengine run rejection --config "$CONFIG" --root "$ROOT" --store "$STORE" --engine vllm --vllm.tensor_parallel 1 --workers 56 &
wait $!
