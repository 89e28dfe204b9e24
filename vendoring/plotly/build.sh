#!/bin/sh
# Builds static/vendor/plotly-VERSION-grid.min.js anew, outside the repository, and tells its SHA-256.
# Usage: build.sh [check]   "check" compares with the vendored file and changes nothing.
set -eu
PLOTLY=4.1.1
ESBUILD=0.28.2
ACORN=8.19.0
ACORN_WALK=8.3.5
here=$(cd "$(dirname "$0")" && pwd)
vendor=$here/../../static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/entry.js" "$here/bundle.mjs" "$work/"
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent --save-exact \
	"plotly.js@$PLOTLY" "esbuild@$ESBUILD" "acorn@$ACORN" "acorn-walk@$ACORN_WALK"
node bundle.mjs out.js
if [ "${1:-}" = check ]; then
	cmp out.js "$vendor/plotly-$PLOTLY-grid.min.js"
	echo "the vendored bundle is what this recipe makes"
	exit
fi
cp out.js "$vendor/plotly-$PLOTLY-grid.min.js"
cp node_modules/plotly.js/LICENSE "$vendor/plotly-LICENSE.txt"
cd "$vendor"
gzip -9nkf "plotly-$PLOTLY-grid.min.js" # served to every browser that takes it
sha256sum "plotly-$PLOTLY-grid.min.js" plotly-style-global.css | tee SHA256SUMS
