#!/bin/bash
# A machine with an address, a name, processes, memory and a /tmp/ray of its own; as on Debian, its name leads to 127.0.1.1. machine.sh NUMBER
set -euo pipefail
number=$1
if [ "${2:-}" != inside ]; then
    exec unshare --net --uts --mount --pid --ipc --fork --kill-child --mount-proc "$0" "$number" inside
fi
hostname "n$number"
until ip link show eth0 &> /dev/null; do sleep 0.1; done
ip link set lo up
ip address add "10.77.0.$number/24" dev eth0
ip link set eth0 up
printf '127.0.0.1 localhost\n127.0.1.1 n%s\n' "$number" > "/srv/slurm/hosts-$number"
mount --bind "/srv/slurm/hosts-$number" /etc/hosts
mkdir -p "/sys/fs/cgroup/freezer/slurm-test-n$number"
mount --bind "/sys/fs/cgroup/freezer/slurm-test-n$number" /sys/fs/cgroup/freezer
mount -t tmpfs tmpfs /var/spool
mount -t tmpfs -o size=8g tmpfs /dev/shm
mkdir -p /tmp/ray
mount -t tmpfs tmpfs /tmp/ray
slurmd -D -N "n$number" &
while :; do # the first process of a machine buries the others' dead
    sleep 1000 &
    wait $!
done
