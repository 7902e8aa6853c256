#!/bin/bash
# The first process of a place of its own: a Slurm controller and two machines on one wire. Ends, with everything in it, when its input does.
# place.sh FOLDER: what is in FOLDER is the home (/srv/home) that all machines share.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hostname controller
mount --make-rprivate /
mount -t tmpfs tmpfs /srv
mkdir /srv/home /srv/slurm /srv/state
mount --bind "$1" /srv/home
cd /srv
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/munge
export SLURM_CONF=/srv/slurm/slurm.conf HOME=/srv/home

ip link set lo up
ip link add wire type bridge
ip address add 10.77.0.254/24 dev wire
ip link set wire up

install -d -m 700 /srv/munge
(umask 077; head -c 64 /dev/urandom > /srv/munge/key)
munged --force --key-file=/srv/munge/key --pid-file=/srv/munge/pid --log-file=/srv/munge/log --seed-file=/srv/munge/seed

echo "CgroupMountpoint=/sys/fs/cgroup" > /srv/slurm/cgroup.conf
echo "Name=gpu File=/dev/null" > /srv/slurm/gres.conf # a GPU as far as Slurm knows
cat > "$SLURM_CONF" <<'SLURM'
ClusterName=tests
SlurmctldHost=controller(10.77.0.254)
SlurmUser=root
StateSaveLocation=/srv/state
SlurmdSpoolDir=/var/spool/slurmd-%n
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd-%n.pid
ProctrackType=proctrack/cgroup
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=15
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName=n1 NodeAddr=10.77.0.1 CPUs=2 RealMemory=4000 Gres=gpu:1
NodeName=n2 NodeAddr=10.77.0.2 CPUs=2 RealMemory=4000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
SLURM
slurmctld -D &
for number in 1 2; do
    "$here/machine.sh" "$number" < /dev/null &
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    ip link add "wire$number" type veth peer name eth0 netns $!
    ip link set "wire$number" master wire up
    echo $! > "/srv/state/machine-$number"
done
cat > /dev/null
