#!/bin/bash
# A TPU slice of several hosts, one process on each, which trains a shard on the chips of its host; no host talks to another.
#
#     TPU=my-slice ZONE=us-east5-a SHARED=/mnt/shared docs/recipes/tpu-slice.sh mine.toml
#
# Each host must have the package (`pip install 'initbench[tpu]'`) and a disk that all hosts share at $SHARED. Once all have ended,
# `initbench run experiment.toml --out $SHARED` on one of them, with the three variables below, takes over what the shards have.
#
# Not tried on a TPU; shards numbered by the same variables are tried in the tests.

set -eu

gcloud compute tpus tpu-vm scp "$1" "$TPU:experiment.toml" --zone="$ZONE" --worker=all

# The hosts of a slice would wait for each other when JAX starts: the first three variables make each host, of four chips, one of its own.
# The number of the host and those of all hosts are in the metadata of the machine.
gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker=all --command="
  set -eu
  export TPU_CHIPS_PER_PROCESS_BOUNDS=2,2,1 TPU_PROCESS_BOUNDS=1,1,1 TPU_VISIBLE_DEVICES=0,1,2,3
  metadata=http://metadata.google.internal/computeMetadata/v1/instance/attributes
  number=\$(curl -sf -H 'Metadata-Flavor: Google' \$metadata/agent-worker-number)
  hosts=\$(curl -sf -H 'Metadata-Flavor: Google' \$metadata/worker-network-endpoints | tr ',' '\n' | grep -c .)
  exec initbench run experiment.toml --out '$SHARED' --shard \$number/\$hosts
"
