#!/bin/sh
# Builds static/vendor/plotly-VERSION-grid.min.js anew, outside the repository, and tells its SHA-256.
# Usage: build.sh [check]   "check" compares with the vendored file and changes nothing.
set -eu
PLOTLY=4.1.1
ESBUILD=0.28.2
here=$(cd "$(dirname "$0")" && pwd)
vendor=$here/../../static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/entry.js" "$work/"
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent "plotly.js@$PLOTLY" "esbuild@$ESBUILD"
npx esbuild entry.js --bundle --minify --format=iife --global-name=Plotly --define:global=window \
	--legal-comments=none --log-level=error --outfile=out.js
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
