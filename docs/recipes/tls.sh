#!/bin/sh
# A certificate and its key, by which the scheduler, the workers and the client of a cluster know each other, in a folder `tls`:
#
#     sh docs/recipes/tls.sh
#     initbench run mine.toml --on ... --tls-ca tls/ca.pem --tls-cert tls/cert.pem --tls-key tls/key.pem
#
# Whoever can read key.pem can run code on all machines of the cluster; to everybody else they do not listen. It says who belongs to the
# cluster, not which machine is which. Every machine needs the three files.
#
# Tried in the tests with OpenSSL, a scheduler and a worker on one machine.

set -eu
umask 077
mkdir -p tls
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=initbench -addext keyUsage=critical,digitalSignature,keyCertSign \
    -keyout tls/key.pem -out tls/cert.pem
cp tls/cert.pem tls/ca.pem
