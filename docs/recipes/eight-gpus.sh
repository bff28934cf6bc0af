#!/bin/bash
# Eight GPUs of one host, a worker process for each: as a job of Slurm, or without Slurm on any host with GPUs.
#
#     sbatch docs/recipes/eight-gpus.sh mine.toml      or      bash docs/recipes/eight-gpus.sh mine.toml
#
# `initbench worker` starts a process for each GPU that it finds. Without a cluster, `initbench run mine.toml` uses all GPUs as well, from
# one process; workers of their own keep eight GPUs busy where the host's work for one would hold up the others.
#
# Tried in the tests on a CPU, where one worker takes the place of eight; not on eight GPUs.

#SBATCH --job-name=initbench
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=32
#SBATCH --gres=gpu:8
#SBATCH --mem=128G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --output=initbench-%j.txt

set -eu
if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi

# All of it ends with this script, also by Slurm's signal.
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
trap 'exit 143' TERM INT

# Nobody on other machines reaches the scheduler or the workers. Chunks wait at the workers, where they stay.
export DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING=False DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=None
export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=1000
file=$(mktemp -d)/scheduler.json
dask scheduler --host 127.0.0.1 --port 0 --dashboard-address 127.0.0.1:0 --scheduler-file "$file" &
until [ -s "$file" ]; do kill -0 $!; sleep 1; done

initbench worker "$file" &
# In the background, so that the script hears signals while it waits.
initbench run "$1" --out "${OUT:-results/runs}" --on "$file" &
wait $!
