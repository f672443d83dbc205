#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# deb.sh ARCHITECTURE VERSION FILE: the package of what `make install` installs. Needs SOURCE_DATE_EPOCH; the same inputs give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. layer-build/common.sh
[ $# -eq 3 ] || die "usage: deb.sh ARCHITECTURE VERSION FILE"
arch=$1 version=$2 file=$3
: "${SOURCE_DATE_EPOCH:?of the last change}"
[ "$arch" = amd64 ] && machine=x86_64 || machine=aarch64
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
umask 022
doc=$tree/usr/share/doc/scar
maintainer=${DEB_MAINTAINER:-$(git log -1 --format='%an <%ae>' 2> /dev/null || echo 'SCAR in C <root@localhost>')}

make --no-print-directory ARCH=$machine PREFIX=/usr DESTDIR="$tree" install > /dev/null
# Where Debian keeps them.
gzip -9n "$doc/README.md"
gzip -9n "$doc/CHANGELOG.md"
gzip -9n > "$doc/changelog.gz" << EOF
scar ($version) unstable; urgency=medium

  * What changed is in CHANGELOG.md.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
EOF
papers=$tree/usr/share/licenses/scar
mkdir "$doc/licenses"
for folder in "$papers"/*/; do
    name=$(basename "$folder")
    [ "$name" = scar ] || cat "$folder"* | gzip -9n > "$doc/licenses/$name.gz"
done
mv "$papers/NOTICE" "$doc/"
rm -r "$tree/usr/share/licenses"
{
    echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
    echo 'Upstream-Name: scar'
    echo
    echo 'Files: *'
    echo "Copyright: $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y) the authors of SCAR in C"
    echo 'License: Apache-2.0'
    echo ' On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.'
    echo
    echo 'Files: usr/bin/scar usr/lib/scar/*'
    echo 'Copyright: see the files of each library in /usr/share/doc/scar/licenses'
    echo 'License: linked-libraries'
    echo ' The programs hold libraries under licences of their own; their texts are in'
    echo ' /usr/share/doc/scar/licenses, and in share/licenses of each layer.'
} > "$doc/copyright"
chmod -R u=rwX,go=rX "$tree"

# On purpose: one static program that runs on any Linux, and that Lambda takes as it is. The SBOM names what is linked in.
mkdir -p "$tree/usr/share/lintian/overrides"
cat > "$tree/usr/share/lintian/overrides/scar" << 'EOF'
# Static on purpose: what runs in Lambda cannot rely on its libraries; sbom.spdx.json names what is linked in.
scar: statically-linked-binary
scar: embedded-library
EOF

mkdir "$tree/DEBIAN"
cat > "$tree/DEBIAN/control" << EOF
Package: scar
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$tree" | cut -f1)
Section: utils
Priority: optional
Description: run container images inside AWS Lambda
 scar deploys functions that run container images as they are on Docker Hub,
 runs them, and shows what they did; it takes the definitions of SCAR, the
 Serverless Container-aware ARchitectures. "scar local" is a Lambda on this
 machine, in a jail that denies what Lambda denies.
 .
 The programs are static: nothing else is needed.
EOF
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) > "$tree/DEBIAN/md5sums"
# Packages have times of files too.
find "$tree" -print0 | xargs -0 touch --no-dereference --date "@$SOURCE_DATE_EPOCH"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$file.tmp" > /dev/null
mv "$file.tmp" "$file"
ls -l "$file"
