#!/usr/bin/env bash
# parsquares on several hosts without a batch system, by ssh. All of them have the program under the same name, and
# the current folder. HOSTFILE has a line for each host and its number of ranks, such as "node1 slots=2".
#   jobs/hosts.sh HOSTFILE [ARGUMENT...]
set -euo pipefail
hostfile=$1
shift

# A host that falls silent ends the job after half a minute; without this it would wait for many minutes.
export OMPI_MCA_oob_tcp_keepalive_time=10 OMPI_MCA_oob_tcp_keepalive_intvl=5 OMPI_MCA_oob_tcp_keepalive_probes=3

# Not bound, the ranks of a host share all of its CPUs evenly.
exec mpirun --hostfile "$hostfile" --bind-to none "$(command -v parsquares)" "$@"
