#!/bin/bash
# An array of CPU nodes, preemptible or not: each task trains one shard. Submit it from the folder of the experiment file:
#
#     sbatch docs/recipes/slurm-array.sh mine.toml
#
# Once all tasks have ended:  initbench run mine.toml   takes over what the shards have, and trains what is missing.
# Before that:                initbench status results/runs/mine   names the tasks to submit again, `sbatch --array=3,7 ...`.

#SBATCH --job-name=initbench
#SBATCH --array=0-31
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --output=initbench-%A-%a.txt

set -eu

# One environment for all nodes, on a shared disk; leave the line out if `initbench` is found without it.
if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi

# `exec`: the signal two minutes before the end of the time reaches the run, which then keeps every training run that has ended; at any
# other end those of the last ten seconds are lost, and trained again. A task that was preempted, or whose node failed, is put into the
# queue again and goes on; one whose time was over is submitted again by hand.
exec initbench run "$1" --out "${OUT:-results/runs}" --shard auto
