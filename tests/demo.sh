#!/bin/bash
# A floating IP from nothing, on a bare Debian 12, as root: installs, builds, makes the network
#
#   client 198.51.100.2 -- router 10.240.1.1 -- compute host 10.240.1.2 -- instance 10.65.0.13
#                          (BIRD)               (BIRD, fipd)            \- second   10.65.0.14
#
# in network namespaces, and shows what an operator would look at, step by step. Every step fails
# loudly where what it shows is not true.   --keep leaves all running and says how to look around.
# --neutron shows the same from `openstack floating ip set --port` on: a real Neutron and etcd, and two
# compute hosts.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export HOME=${HOME:-/root}
unset CDPATH
umask 022

keep=no
neutron=no
for word in "$@"; do
  case $word in
    --keep) keep=yes ;;
    --neutron) neutron=yes ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: $word? Usage: demo.sh [--neutron] [--keep]" >&2; exit 2 ;;
  esac
done
[ "$(id -u)" = 0 ] || { echo "demo.sh: namespaces need root" >&2; exit 1; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else bold='' green='' red='' plain=''; fi
number=0
title() { number=$((number + 1)); printf '\n%s%d. %s%s\n' "$bold" "$number" "$*" "$plain"; }
ok() { printf '   %sok%s  %s\n' "$green" "$plain" "$*"; }
die() {
  printf '   %sFAILED%s  %s\n' "$red" "$plain" "$*" >&2
  for log in "${dir:-/nonexistent}"/*.log; do
    [ -s "$log" ] && { echo "--- $log"; tail -n 20 "$log"; } >&2
  done
  exit 1
}
# show COMMAND...: what an operator would type, and what it prints; kept in $seen.
show() {
  printf '   $ %s\n' "$*"
  seen=$("$@" 2>&1) || { printf '%s\n' "$seen" | sed 's/^/     /'; die "$* ended with an error"; }
  printf '%s\n' "$seen" | sed 's/^/     /'
}
# expect TEXT WHY: the last show has TEXT.
expect() { case $seen in *"$1"*) ok "$2" ;; *) die "$2: no \"$1\" above" ;; esac; }
# until_true SECONDS WHY COMMAND...
until_true() {
  local deadline=$((SECONDS + $1)) why=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt "$deadline" ] || die "$why: not in time"
    sleep 0.1
  done
}

id=$$
ns() { echo "fipd-demo$id-$1"; }
host=$(ns host) router=$(ns router) client=$(ns client) one=$(ns instance1) two=$(ns instance2)
cleanup() {
  local code=$?
  trap - EXIT INT TERM HUP
  set +e
  if [ $keep = yes ] && [ $code = 0 ]; then return; fi
  "$dir/end" 2>/dev/null
  [ $code = 0 ] || echo "demo.sh: failed" >&2
  exit $code
}
# start NAME NAMESPACE COMMAND...: in the background, its output in NAME.log.
start() {
  local name=$1 space=$2
  shift 2
  setsid ip netns exec "$space" "$@" >"$dir/$name.log" 2>&1 </dev/null &
  echo $! >>"$dir/pids"
  disown
}

title "Packages (tests/support/install.sh)"
tests/support/install.sh
ok "all there"

title "Build (cmake --preset release)"
# Said also where there is none: a build folder remembers the one of its last configuration.
launcher=-DCMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache) || true
mkdir -p build
cmake --preset release "$launcher" >build/demo-configure.log 2>&1 ||
  { tail -n 30 build/demo-configure.log; die "cmake, see build/demo-configure.log"; }
cmake --build build/release -j "$(nproc)" --target fipd fipctl 2>&1 | tee build/demo-build.log |
  awk '/^\[[0-9]+\/[0-9]+\]/ { split($1, n, /[][\/]/); if (n[2] == n[3] || n[2] % 10 == 0)
       printf "   %s of %s\n", n[2], n[3]; fflush() }' ||
  { tail -n 30 build/demo-build.log; die "build, see build/demo-build.log"; }
fipd=$root/build/release/daemon/fipd
fipctl=$root/build/release/daemon/control/fipctl/fipctl
ok "$("$fipd" --version), $("$fipctl" --version)"
if [ $neutron = yes ]; then
  keeping=()
  [ $keep = no ] || keeping=(--keep)
  FIPD_DEMO_STEPS=$number FIPD_BUILD=$root/build/release \
    exec /usr/bin/python3 tests/support/demo_neutron.py "${keeping[@]}"
fi

dir=$(mktemp -d /tmp/fipd-demo-XXXXXX)
chmod 755 "$dir"
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cat >"$dir/end" <<END
#!/bin/bash
# Ends the demonstration: its processes, namespaces and files.
for pid in \$(tac "$dir/pids" 2>/dev/null); do
  # Only what still is ours: a process of one of the demonstration's namespaces.
  case \$(ip netns identify "\$pid" 2>/dev/null) in fipd-demo$id-*) kill -KILL "\$pid" ;; esac
done 2>/dev/null
for name in $host $router $client $one $two; do
  ip netns del "\$name" 2>/dev/null
  rm -rf "/etc/netns/\$name"
done
rmdir /etc/netns 2>/dev/null
rm -rf "$dir"
exit 0
END
chmod 755 "$dir/end"

title "The network, in namespaces"
for name in "$host" "$router" "$client" "$one" "$two"; do
  ip netns add "$name"
  ip netns exec "$name" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
  ip -n "$name" link set lo up
done
for name in "$host" "$router"; do ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=1; done
# Names for table and protocol 172, seen by `ip netns exec` only: it lays /etc/netns/NAME over /etc.
mkdir -p "/etc/netns/$host"
cp -r /etc/iproute2 "/etc/netns/$host/iproute2"
for kind in rt_tables rt_protos; do
  mkdir -p "/etc/netns/$host/iproute2/$kind.d"
  cp conf/iproute2/$kind.d/fipd.conf "/etc/netns/$host/iproute2/$kind.d/"
done
ip link add name eth0 netns "$client" type veth peer name client netns "$router"
ip link add name eth0 netns "$host" type veth peer name host netns "$router"
ip -n "$client" addr add 198.51.100.2/24 dev eth0
ip -n "$router" addr add 198.51.100.1/24 dev client
ip -n "$router" addr add 10.240.1.1/24 dev host
ip -n "$host" addr add 10.240.1.2/24 dev eth0
for link in "$client eth0" "$router client" "$router host" "$host eth0"; do
  # shellcheck disable=SC2086
  set -- $link && ip -n "$1" link set "$2" up
done
ip -n "$client" route add default via 198.51.100.1
ip -n "$host" route add default via 10.240.1.1

# instance NAMESPACE TAP FIXED: as on any Calico host, a host route to the fixed IP over the tap.
instance() {
  ip link add name "$2" netns "$host" type veth peer name eth0 netns "$1"
  ip netns exec "$host" sysctl -qw "net.ipv4.conf.$2.proxy_arp=1" "net.ipv4.neigh.$2.proxy_delay=0"
  ip -n "$host" link set "$2" up
  ip -n "$1" link set eth0 up
  ip -n "$host" route add "$3" dev "$2" scope link
  ip -n "$1" addr add "$3/32" dev eth0
  ip -n "$1" route add 169.254.1.1 dev eth0 scope link
  ip -n "$1" route add default via 169.254.1.1
}
instance "$one" tap9a7e0868-da 10.65.0.13
instance "$two" tap1b2c3d4e-5f 10.65.0.14
show ip -n "$host" route
expect "10.65.0.13 dev tap9a7e0868-da" "the compute host has its two instances"

title "BIRD on the compute host (with the shipped conf/bird/fipd.conf) and on the router"
mkdir "$dir/host" "$dir/router"
cp conf/bird/fipd.conf "$dir/host/"
sed -e 's/^define fipd_as = .*/define fipd_as = 64601;/' conf/bird/fipd-local.conf >"$dir/host/fipd-local.conf"
cat >"$dir/host/bird.conf" <<'END'
log stderr all;
router id 10.240.1.2;
graceful restart wait 10;
protocol device { }
include "fipd.conf";
protocol bgp tor1 from fipd_ebgp {
  local 10.240.1.2 as fipd_as;
  neighbor 10.240.1.1 as 64500;
  connect delay time 1;
}
END
cat >"$dir/router/bird.conf" <<'END'
log stderr all;
router id 10.240.1.1;
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol bgp compute1 {
  local 10.240.1.1 as 64500;
  neighbor 10.240.1.2 as 64601;
  connect delay time 1;
  graceful restart on;
  ipv4 { import all; export none; };
}
END
start bird-host "$host" bird -f -c "$dir/host/bird.conf" -s "$dir/host/bird.ctl" -P "$dir/host/bird.pid"
start bird-router "$router" bird -f -c "$dir/router/bird.conf" -s "$dir/router/bird.ctl" -P "$dir/router/bird.pid"
established() { birdc -s "$dir/router/bird.ctl" show protocols compute1 | grep -q Established; }
until_true 20 "the BGP session is established" established
show birdc -s "$dir/router/bird.ctl" show protocols compute1
ok "the BGP session is established"

title "fipd on the compute host"
mkdir -p "$dir/fipd/floating-ips.d"
cat >"$dir/fipd/fipd.toml" <<END
[host]
name = "compute1"
[control]
socket = "$dir/fipd/fipd.sock"
group = "root"
[store]
path = "$dir/fipd/fipd.db"
[nat]
internal = ["10.65.0.0/16"]
[bird]
socket = "$dir/host/bird.ctl"
[pools]
allowed = ["172.16.1.0/24"]
[files]
directory = "$dir/fipd/floating-ips.d"
END
show "$fipd" --config "$dir/fipd/fipd.toml" --check
ok "the configuration is valid"
start fipd "$host" "$fipd" --config "$dir/fipd/fipd.toml"
export FIPD_SOCKET=$dir/fipd/fipd.sock
until_true 10 "fipd answers" "$fipctl" ls
show "$fipctl" status

# A server in both instances and at the client that answers with who it is and whom it sees.
server='import socket, sys
s = socket.create_server(("", 7000), reuse_port=True)
while True:
    c, peer = s.accept()
    with c:
        c.sendall(f"this is {sys.argv[1]}, you are {peer[0]}\n".encode())'
call='import socket, sys
print(socket.create_connection((sys.argv[1], 7000), 3).makefile().read().strip())'
start instance1 "$one" /usr/bin/python3 -c "$server" instance1
start instance2 "$two" /usr/bin/python3 -c "$server" instance2
start client "$client" /usr/bin/python3 -c "$server" client
# ask WHO SPACE ADDRESS: one TCP connection to the server there.
ask() {
  printf '   %s connects to %s:7000\n' "$1" "$3"
  seen=$(ip netns exec "$2" /usr/bin/python3 -c "$call" "$3" 2>&1) || die "$1 -> $3: $seen"
  printf '     %s\n' "$seen"
}
ask_quietly() { ip netns exec "$1" /usr/bin/python3 -c "$call" "$2"; }
until_true 5 "the servers answer" ask_quietly "$one" 10.65.0.14
until_true 5 "the servers answer" ask_quietly "$two" 10.65.0.13

title "Associate 172.16.1.3 with the instance, and wait until the router has been told"
show "$fipctl" add 172.16.1.3 10.65.0.13 --wait=announced
show "$fipctl" ls
expect 172.16.1.3 "fipctl ls shows the floating IP"
expect announced "and that it is announced"

title "What the compute host has now"
show ip netns exec "$host" ip route show table fipd
expect "172.16.1.3 dev tap9a7e0868-da proto fipd scope link metric 1024" \
  "the floating IP is routed to the instance's tap"
show ip netns exec "$host" nft list table inet fipd
expect "172.16.1.3 : 10.65.0.13" "and translated to its fixed IP"

title "What the router has learned"
learned() { ip -n "$router" route show 172.16.1.3 | grep -q "via 10.240.1.2"; }
until_true 5 "the router's kernel has the route" learned
show birdc -s "$dir/router/bird.ctl" show route 172.16.1.3/32 all
expect "via 10.240.1.2" "the floating IP leads to the compute host"
expect "BGP.med: 1024" "with the route's metric as its MED"
show ip -n "$router" route show 172.16.1.3
expect "via 10.240.1.2" "and is in the router's kernel"

title "The client, three hops away, talks to the instance"
show ip netns exec "$client" ping -n -c 3 -i 0.2 -W 2 172.16.1.3
expect " 0% packet loss" "ping"
ask "the client" "$client" 172.16.1.3
expect "this is instance1, you are 198.51.100.2" "TCP reaches the instance, the client's address intact"

title "The instance calls out"
ask "the instance" "$one" 198.51.100.2
expect "this is client, you are 172.16.1.3" "the client sees the floating IP"
ask "the instance" "$one" 10.65.0.14
expect "this is instance2, you are 10.65.0.13" "another instance sees the fixed IP"

title "Move the floating IP to the second instance"
show "$fipctl" add 172.16.1.3 10.65.0.14 --replace --wait=announced
show ip netns exec "$host" ip route show table fipd
expect "172.16.1.3 dev tap1b2c3d4e-5f" "the route points at the other tap"
ask "the client" "$client" 172.16.1.3
expect "this is instance2" "the client reaches the second instance"

title "Somebody flushes the whole ruleset"
printf '   $ nft flush ruleset\n'
ip netns exec "$host" nft flush ruleset
repaired() { ip netns exec "$host" nft list table inet fipd | grep -q "172.16.1.3 : 10.65.0.14"; }
until_true 5 "fipd repairs its table" repaired
ask "the client" "$client" 172.16.1.3
expect "this is instance2" "repaired, and the client reaches the instance"
seen=$(grep nft "$dir/fipd.log" | tail -n 2) || die "fipd's log does not name the culprit"
printf '%s\n' "$seen" | sed 's/^/     /'
ok "the log names who did it"

title "Remove it"
show "$fipctl" rm 172.16.1.3
forgotten() { [ -z "$(ip -n "$router" route show 172.16.1.3)" ]; }
until_true 5 "the router forgets the floating IP" forgotten
untranslated() { ! ip netns exec "$host" nft list table inet fipd | grep -q "172.16.1.3 :"; }
until_true 10 "the translation goes last" untranslated
show ip netns exec "$host" ip route show table fipd
[ -z "$seen" ] || die "the route is still there"
ok "no route, no translation, nothing at the router"

if [ $keep = yes ]; then
  "$fipctl" add 172.16.1.3 10.65.0.13 --wait=announced >/dev/null
  cat <<END

${bold}All is still running${plain}, with 172.16.1.3 associated with the instance again. Look around:
  export FIPD_SOCKET=$FIPD_SOCKET
  $fipctl ls
  $fipctl add 172.16.1.4 10.65.0.14 --wait=announced
  $fipctl monitor
  ip netns exec $host ip route show table fipd
  ip netns exec $host nft list table inet fipd
  ip netns exec $client ping 172.16.1.3
  birdc -s $dir/router/bird.ctl show route
  birdc -s $dir/host/bird.ctl show route table fip4
  less $dir/fipd.log
End it, and leave nothing behind:
  $dir/end
END
fi
printf '\n%sAll of it was true.%s\n' "$green" "$plain"
