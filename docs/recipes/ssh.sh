#!/bin/bash
# Machines that are reached by ssh, without a batch system: the scheduler and the command run here, a worker on each of the others.
#
#     bash docs/recipes/ssh.sh mine.toml gpu1 gpu2 gpu3
#
# The others need the same environment as this machine (INITBENCH names the command there) and reach port 8786 of HERE, this machine's name
# in the network; this machine reaches any port of theirs. Data files and modules that the experiment names have to lie in their home
# folders. Certificate and key are copied to them, as `initbench-tls`.
#
# Tried in the tests with stand-ins for `ssh` and `scp` that run the workers on one machine; not between machines.

set -eu
experiment=$1
shift
here=${HERE:-$(hostname -f)}
port=${PORT:-8786}
[ -f tls/key.pem ] || sh "$(dirname "$0")/tls.sh"

trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
trap 'exit 143' TERM INT

export DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING=False DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=None
export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=1000
dask scheduler --host "tls://$here" --port "$port" --dashboard-address 127.0.0.1:0 \
    --tls-ca-file tls/ca.pem --tls-cert tls/cert.pem --tls-key tls/key.pem &

# A worker ends when its scheduler does.
for host in "$@"; do
    scp -qr tls "$host:initbench-tls"
    ssh -n "$host" "${INITBENCH:-.venv/bin/initbench} worker tls://$here:$port \
        --tls-ca initbench-tls/ca.pem --tls-cert initbench-tls/cert.pem --tls-key initbench-tls/key.pem" &
done

initbench run "$experiment" --out "${OUT:-results/runs}" --on "tls://$here:$port" \
    --tls-ca tls/ca.pem --tls-cert tls/cert.pem --tls-key tls/key.pem &
wait $!
