#!/bin/sh
# Push an image unless the registry has its tag already; print the reference with its digest.
# Usage: push_image.sh REPOSITORY:TAG [option of `docker buildx build`]...
set -eu
reference=$1
shift
cd "$(dirname "$0")/.."

digest() {
    docker buildx imagetools inspect "$reference" --format '{{.Manifest.Digest}}'
}

problem=$(mktemp)
trap 'rm -f "$problem"' EXIT
if found=$(digest 2>"$problem"); then
    echo "$reference is there already" >&2
elif ! grep --quiet --ignore-case --extended-regexp 'not found|manifest unknown|name unknown' "$problem"; then
    # Not knowing is no reason to build: the same tag would get other bytes.
    cat "$problem" >&2
    exit 1
else
    docker buildx build --push --tag "$reference" --build-arg VERSION="${reference##*:}" "$@" . >&2
    found=$(digest)
fi
echo "$reference@$found"
