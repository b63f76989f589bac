#!/bin/sh
# Installs what fipd is built, run and tested with on Debian 12. Says nothing and takes no network
# where all is there already. Starts no service: the tests run their own BIRD.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/packages.txt")

missing() {
  for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s ' "$package"
  done
}

absent=$(missing)
[ -n "$absent" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "install.sh: missing: $absent(run as root to install them)" >&2; exit 1; }
echo "installing $absent"

# invoke-rc.d asks policy-rc.d before it starts what a package brings; 101 says no. One that the
# machine has already is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get -q update
# libboost1.81-dev takes the place of libboost-dev and libboost1.74-dev: apt removes those.
# shellcheck disable=SC2086
apt-get -q install -y --no-install-recommends $absent
absent=$(missing)
[ -z "$absent" ] || { echo "install.sh: still missing: $absent" >&2; exit 1; }
