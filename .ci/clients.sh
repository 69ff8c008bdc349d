#!/usr/bin/env bash
# Fetches the viewers that tests run unmodified, from the npm registry into build/clients, exactly these versions, once:
#   build/clients/ohif           OHIF as its authors built it
#   build/clients/node_modules   what tests/clients bundles into a page (cornerstone3D)
#   clients/ts/node_modules      what the TypeScript client is checked, tested and built with
# Without npm, or without the network, what needs them is skipped, and this says so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
OHIF=3.13.2
OHIF_SHA512=5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
TO=build/clients
mkdir -p "$TO"

ohif() {
    [ "$(cat "$TO/ohif/.version" 2>/dev/null)" = "$OHIF" ] && return 0
    local new="$TO/ohif.new"
    rm -rf "$new" && mkdir -p "$new" || return 1
    (cd "$new" && npm pack --silent "@ohif/app@$OHIF" >/dev/null) || return 1
    sha512sum --quiet -c <<<"$OHIF_SHA512  $new/ohif-app-$OHIF.tgz" || return 1
    # Not the neural networks' runtime (136 of 204 MB), which no test uses.
    tar -xzf "$new/ohif-app-$OHIF.tgz" -C "$new" --strip-components=2 --exclude='*/ort' --exclude='*.map' package/dist || return 1
    rm "$new/ohif-app-$OHIF.tgz" && echo "$OHIF" >"$new/.version" && rm -rf "$TO/ohif" && mv "$new" "$TO/ohif"
}

libraries() {
    cmp -s tests/clients/package-lock.json "$TO/package-lock.json" && [ -d "$TO/node_modules" ] && return 0
    cp tests/clients/package.json "$TO/" && cp tests/clients/package-lock.json "$TO/wanted.json" || return 1
    # The lock file is in its place only when all that it names is.
    rm -f "$TO/package-lock.json" && cp "$TO/wanted.json" "$TO/npm-shrinkwrap.json" || return 1
    (cd "$TO" && npm ci --silent --ignore-scripts --no-audit --no-fund) || return 1
    rm "$TO/npm-shrinkwrap.json" && mv "$TO/wanted.json" "$TO/package-lock.json"
}

# What a package of ours is tested with: as its lock file says, and a copy of that to know it by.
package() {
    cmp -s "$1/package-lock.json" "$1/node_modules/.voxcast-lock.json" && return 0
    (cd "$1" && npm ci --silent --ignore-scripts --no-audit --no-fund) || return 1
    cp "$1/package-lock.json" "$1/node_modules/.voxcast-lock.json"
}

if ! command -v npm >/dev/null; then
    echo "without npm: tests of OHIF, cornerstone3D and the TypeScript client are skipped (sudo apt install npm)" >&2
    exit 0
fi
ohif || echo "OHIF $OHIF could not be fetched: its tests are skipped" >&2
libraries || echo "cornerstone3D could not be fetched: its tests are skipped" >&2
package clients/ts || echo "the test tools of clients/ts could not be fetched: its tests are skipped" >&2
exit 0
