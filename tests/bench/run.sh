#!/bin/bash
# The figures of fipd, each beside the raw limit measured in the same run. As root, from anywhere;
# needs the release build (tests/run.sh or cmake --preset release). Figures of a shared machine move:
# compare the ratios.
set -eu
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
build=${FIPD_BUILD:-$root/build/release}
# As in the unit.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
cmake --build "$build" --target fipd fipctl bench_association bench_raw_load \
  bench_flush bench_traffic >/dev/null
echo "== one association"
"$build/tests/bench/bench_association"
echo "== cold load"
"$root/tests/bench/cold_load.py" "$build"
echo "== from etcd to the kernel"
/usr/bin/python3 "$root/tests/bench/etcd_path.py" "$build"
echo "== drain and moves, as routers see them"
"$root/tests/bench/bgp.py" "$build"
echo "== announcing, and verifying what is announced"
/usr/bin/python3 "$root/tests/bench/announce.py" "$build"
echo "== from Neutron's answer to the router"
/usr/bin/python3 "$root/tests/bench/neutron_path.py" "$build"
echo "== connections of removed floating IPs"
"$root/tests/bench/flush.py" "$build"
echo "== data path"
"$root/tests/bench/datapath.py" "$build"
