#!/bin/bash
# Builds fipd and runs every test there is: unit tests, lints, integration tests in network
# namespaces, the unit tests again under ASan and UBSan, and the fuzz targets for some seconds each.
#   tests/run.sh           all of that
#   tests/run.sh --quick   release build, and no test that takes more than some seconds
#   tests/run.sh --full    besides: integration tests under ASan, all checks of UBSan, clang-tidy, longer
#                          fuzzing, and the BIRDs of Debian 13 (build/trixie, by debootstrap)
# As root, on Debian 12. Logs: build/logs. The last line is "N passed, N failed".
set -uo pipefail
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export HOME=${HOME:-/root} GIT_OPTIONAL_LOCKS=0
unset PYTHONPATH PYTHONHOME PYTEST_ADDOPTS CDPATH
umask 022
python=/usr/bin/python3

mode=normal
for word in "$@"; do
  case $word in
    --quick) mode=quick ;;
    --full) mode=full ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: $word? Usage: run.sh [--quick|--full]" >&2; exit 2 ;;
  esac
done
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) && cd "$root" || exit 1
[ "$(id -u)" = 0 ] || { echo "run.sh: namespaces need root" >&2; exit 1; }
logs=$root/build/logs
rm -rf "$logs" && mkdir -p "$logs" || exit 1
jobs=$(nproc)
# Said also where there is none: a build folder remembers the one of its last configuration.
launcher=-DCMAKE_CXX_COMPILER_LAUNCHER=$(command -v ccache)

child=
background=
stop_all() {
  trap '' INT TERM HUP
  [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null
  [ -z "$background" ] || kill -TERM "$background" 2>/dev/null
  wait
  echo "interrupted"
  exit 130
}
trap stop_all INT TERM HUP

# Every check of UBSan costs compile time: the whole of them only where time does not matter.
configuration=()
[ $mode = full ] && configuration=(-DFIPD_SANITIZE_NOT=)

# step NAME SECONDS COMMAND...: one command with its log. Its failure is one failed test unless a
# report (NAME.xml) has told its failures already.
step() {
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  printf '== %-24s ' "$name"
  setsid timeout -k 10 "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null &
  child=$!
  wait "$child"
  code=$?
  child=
  if [ $code = 0 ]; then
    printf 'ok    %4d s  %s\n' $((SECONDS - start)) "$(summary "$name")"
    return 0
  fi
  [ $code = 124 ] && echo "did not end within $limit s" >>"$logs/$name.log"
  printf 'FAILED %3d s  exit %d, %s\n' $((SECONDS - start)) $code "$logs/$name.log"
  tail -n 40 "$logs/$name.log" | sed 's/^/   | /'
  reported "$name" || echo "exit $code, see $logs/$name.log" >"$logs/$name.failed"
  return 1
}

# Whether the step's own report holds a failure.
reported() {
  [ -s "$logs/$1.xml" ] && grep -qE '<(failure|error)|status="fail"' "$logs/$1.xml"
}

summary() {
  case $1 in
    unit* | lint | integration* | neutron) grep -E 'tests passed|passed' "$logs/$1.log" | tail -n 1 ;;
  esac
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  step "configure-$preset" 120 cmake --preset "$preset" "$launcher" "${configuration[@]}" || return 1
  step "build-$preset" 1500 cmake --build "build/$preset" -j "$jobs" ${1:+--target} "$@"
}

unit_tests() {  # PRESET
  step "unit-$1" 600 ctest --test-dir "$root/build/$1" -j "$jobs" --timeout 120 --no-tests=error \
    --output-on-failure --output-junit "$logs/unit-$1.xml"
}

py_tests() {  # NAME SECONDS FOLDERS AND OPTIONS...
  local name=$1 limit=$2
  shift 2
  step "$name" "$limit" "$python" -m pytest -p no:cacheprovider -ra --durations=15 --tb=short \
    --junitxml "$logs/$name.xml" "$@"
}

fuzz_sources=$(find tests/fuzz -maxdepth 1 -name '*.cc' | sort)

# beside COMMAND: in the background, with what it prints kept for tell_beside.
beside() {
  {
    child='' background=''
    trap stop_all INT TERM HUP
    "$@"
  } >"$logs/beside" 2>&1 &
  background=$!
}

tell_beside() {
  wait "$background"
  background=
  cat "$logs/beside"
}

# Builds that take long, at the lowest priority beside tests that mostly wait.
builds_beside() {
  local targets=() tested=() source
  for source in $fuzz_sources; do targets+=("fuzz_$(basename "$source" .cc)"); done
  renice -n 19 $BASHPID >/dev/null
  # The daemon as a whole is not needed for the unit tests.
  [ $mode = full ] || tested=(unit_tests)
  build asan "${tested[@]}" && : >"$logs/asan.built"
  build clang "${targets[@]}" && : >"$logs/clang.built"
}

# fuzz NAME SECONDS: one target; what the fuzzer finds new goes to a folder of its own, not into the tree.
fuzz() {
  local name=$1 seeds=("$root/tests/fuzz/corpus/$1") fresh
  [ -d "${seeds[0]}" ] || seeds=()
  fresh=$(mktemp -d "${TMPDIR:-/tmp}/fipd-fuzz-XXXXXX")
  step "fuzz-$name" $(($2 + 60)) "$root/build/clang/tests/fuzz/fuzz_$name" "$fresh" "${seeds[@]}" \
    -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$logs/fuzz-$name-" &&
    : >"$logs/fuzz-$name.passed"
  rm -rf "$fresh"
}

fuzz_every_second() {  # FROM: 0 or 1
  local number=0 source seconds=5
  [ $mode = full ] && seconds=60
  for source in $fuzz_sources; do
    [ $((number++ % 2)) = "$1" ] && fuzz "$(basename "$source" .cc)" $seconds
  done
}

step install 900 tests/support/install.sh
py_tests lint 120 tests/lint
# The unit tests are built once, under the sanitizers, unless everything or only the release build is
# wanted: they take as long to compile as the daemon.
targets=(fipd fipctl)
[ $mode = normal ] || targets=()
options=()
[ $mode = normal ] || options=("--$mode")
# The files of Python tests run side by side: each has namespaces of its own, and mostly waits.
options+=(-n 2 --dist loadfile)
build release "${targets[@]}" && released=yes || released=no
if [ $mode != quick ]; then
  beside builds_beside
fi
if [ "$released" = yes ]; then
  [ $mode = normal ] || unit_tests release
  py_tests integration 900 tests/integration "${options[@]}"
fi
py_tests neutron 900 neutron/tests "${options[@]}"
if [ $mode != quick ]; then
  tell_beside
  [ ! -e "$logs/asan.built" ] || unit_tests asan
  if [ -e "$logs/clang.built" ]; then
    beside fuzz_every_second 1
    fuzz_every_second 0
    tell_beside
  fi
fi
if [ $mode = full ] && [ -e "$logs/asan.built" ]; then
  FIPD_BUILD=$root/build/asan py_tests integration-asan 1800 tests/integration "${options[@]}"
  step clang-tidy 3600 run-clang-tidy-14 -quiet -p build/asan "$root/(bgp|nat|daemon)/.*\.cc" &&
    : >"$logs/clang-tidy.passed"
fi
exec "$python" tests/support/tally.py "$logs"
