#!/bin/bash
# An array of tasks with one GPU each; all else is as in slurm-array.sh:
#
#     sbatch docs/recipes/slurm-array-gpu.sh mine.toml
#
# All shards of a run need one kind of GPU, since rows of several kinds differ in their last bits and are not joined without --mixed:
# name the kind, for example `--gres=gpu:h100:1`, or a partition or constraint that has one kind alone.
#
# Not tried on a cluster with Slurm and GPUs; the same command without GPUs is tried in the tests.

#SBATCH --job-name=initbench
#SBATCH --array=0-7
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --gres=gpu:1
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --output=initbench-%A-%a.txt

set -eu

if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi

# Without this a task whose GPU cannot be used would train its shard on the CPU, and the shards could not be joined.
export JAX_PLATFORMS=cuda

exec initbench run "$1" --out "${OUT:-results/runs}" --shard auto
