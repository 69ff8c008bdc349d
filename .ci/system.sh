#!/usr/bin/env bash
# Looks for the programs of the system that make needs; installs the missing ones where it may (root, apt), else says how.
#   system.sh make|python|build|fuzz|sanitize  must be there: fails without, and names the command to type
#   system.sh peers|bench             real programs that tests and benchmarks talk to: those that are missing are left out
set -uo pipefail
PYTHON=${PYTHON:-python3}

has() { command -v "$1" >/dev/null 2>&1; }

# Names of the Debian packages that are missing for a purpose.
missing() {
    case $1 in
    make) has make || echo make ;;
    python) [ -n "$PYTHON" ] && "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv ;;
    build)
        has g++ || has clang++ || has c++ || echo g++
        "$PYTHON" - <<'PY' 2>/dev/null || echo python3-dev
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").is_file())
PY
        ;;
    fuzz) has clang++ || echo clang ;;
    sanitize) has g++ || echo g++ ;; # brings libasan
    peers)
        has storescu || echo dcmtk
        has chromium || has chromium-browser || has google-chrome || echo chromium
        has ffmpeg || echo ffmpeg
        has unzip || echo unzip
        has npm || echo npm
        has nginx || [ -x /usr/sbin/nginx ] || echo nginx-light
        has curl || echo curl
        has openssl || echo openssl
        ;;
    bench)
        has Orthanc || [ -x /usr/sbin/Orthanc ] || echo orthanc
        [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || echo orthanc-dicomweb
        [ -e /usr/share/orthanc/plugins/libOrthancGdcm.so ] || echo orthanc-gdcm
        has wrk || echo wrk
        has nginx || [ -x /usr/sbin/nginx ] || echo nginx-light
        has storescu || echo dcmtk
        ;;
    *) echo "system.sh: make, python, build, fuzz, sanitize, peers or bench, not $1" >&2 && exit 2 ;;
    esac
}

install() {
    [ "$(id -u)" = 0 ] && has apt-get || return 0
    echo "installing $*" >&2
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    # A benchmark starts the peers itself: as services they would only take memory and ports.
    RUNLEVEL=1 apt-get install -qq -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null ||
        { apt-get update -qq >>"$log" 2>&1 && RUNLEVEL=1 apt-get install -qq -y --no-install-recommends "$@" >>"$log" 2>&1; } ||
        tail -n 3 "$log" >&2
    rm -f "$log"
}

for purpose in "$@"; do
    wanted=$(missing "$purpose" | tr '\n' ' ')
    [ -z "${wanted// /}" ] && continue
    # shellcheck disable=SC2086 - a list of names
    install $wanted
    wanted=$(missing "$purpose" | tr '\n' ' ')
    [ -z "${wanted// /}" ] && continue
    case $purpose in
    peers | bench) echo "without $wanted: what needs them is skipped (sudo apt install $wanted)" >&2 ;;
    *) echo "something is missing; type:  sudo apt install $wanted" >&2 && exit 1 ;;
    esac
done
