#!/bin/bash
#SBATCH --job-name=w2s-study
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#
# A study on all machines of an allocation:  sbatch --nodes 4 examples/slurm.sh STUDY.yaml [more options of w2s study]
#
# The store must lie where all machines see it: set W2S_HOME, or it goes beside the study's results. The job may be
# ended and submitted again: it goes on where it was.
set -euo pipefail

study=${1:?"usage: sbatch slurm.sh STUDY.yaml [options]"}
shift
export W2S_HOME=${W2S_HOME:-$SLURM_SUBMIT_DIR/runs/store}

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=6379

echo "Ray begins on $head:$port"
srun --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --node-ip-address="$head" --port="$port" --include-dashboard=false --block &

if ((SLURM_JOB_NUM_NODES > 1)); then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks-per-node=1 --exclude="$head" \
    bash -c "until ray start --address=$head:$port --block; do sleep 5; done" &
fi

# The study begins as soon as the first machine is there; the others are used when they have joined.
until srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" ray status --address="$head:$port" >/dev/null 2>&1; do
  sleep 5
done

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  w2s study "$study" --runner ray --address "$head:$port" "$@"
