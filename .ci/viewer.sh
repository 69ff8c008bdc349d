#!/usr/bin/env bash
# The page of engine/viewer: installs what its lock file names, builds what has changed since the last time.
#   viewer.sh build   without Node.js or the network it says so; the server then gives the build that is there, or the plain page
#   viewer.sh test    also its types and its own tests, which must be right
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../engine/viewer"

without() {
    local what="it gives the plain page instead"
    [ -f dist/index.html ] && what="it gives the one that is there"
    echo "the page is not built ($1); $what" >&2
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || without "it takes Node.js 20 with npm: sudo apt install nodejs npm"
node -e 'process.exit(+(Number(process.versions.node.split(".")[0]) < 20))' || without "it takes Node.js 20, this is $(node --version)"

# What is installed is known by a copy of its lock file.
if ! cmp -s package-lock.json node_modules/.voxcast-lock.json; then
    echo "installing what the page is made from" >&2
    npm ci --silent --ignore-scripts --no-audit --no-fund || without "npm could not install what it is made from"
    cp package-lock.json node_modules/.voxcast-lock.json
fi

# What it was built from: everything that git would know, by content, so that a fresh clone and a changed branch are told apart.
sources() {
    find src public index.html vite.config.ts tsconfig.json package-lock.json plain ../../clients/ts/src -type f 2>/dev/null |
        LC_ALL=C sort | xargs sha256sum
}
now=$(sources | sha256sum)
if [ "$(cat dist/.sources 2>/dev/null)" != "$now" ] || [ ! -f dist/index.html ]; then
    echo "building the page" >&2
    npm run --silent build -- --logLevel warn || exit 1
    echo "$now" >dist/.sources
fi
[ "${1:-build}" = test ] || exit 0
npm run --silent check && npm test --silent
