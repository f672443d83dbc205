#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the Lambda layer: a zip that Lambda unpacks into /opt. With --papers only its licences and SBOM, into a folder.

bootstrap                          the runtime, mode 0755 at the root, where Lambda looks for it
share/licenses/scar/NOTICE         what the licences ask for
share/licenses/scar/NAME/...       licences of the project and of every library that is linked in
share/doc/scar/sbom.spdx.json      what is linked in, as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/)

The same inputs give the same bytes: names are sorted, times are fixed, modes are set here. Which libraries are linked in is
read from the linker's own trace, so the list cannot grow old.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
# Licences of the libraries, as their own files say; the files are in the layer too.
SPDX = {
    "zlib": "Zlib",
    "zstd": "BSD-3-Clause",
    "isal": "BSD-3-Clause",
    "openssl": "Apache-2.0",
    "curl": "curl",
    "libarchive": "BSD-2-Clause",
    "cjson": "MIT",
    "libseccomp": "LGPL-2.1-only",
    "libyaml": "MIT",
    "expat": "MIT",
    "zydis": "MIT",
    "musl": "MIT",
}
MUSL_COPYRIGHT = Path("/usr/share/doc/musl-dev/copyright")
DEBIAN_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
NOTICE = """The program is under the Apache licence 2.0 (scar/LICENSE). It holds libraries under licences of their own: their texts are in the folders beside this
file, their versions in share/doc/scar/sbom.spdx.json, and all are linked statically.

libseccomp is under the GNU Lesser General Public License 2.1 (libseccomp/). Its source is that of Debian's source package of the version named, without
changes (https://snapshot.debian.org/package/libseccomp/). The program's own source comes with everything that links it again, so that it can be
built with a changed libseccomp: layer-build/recipes/libseccomp.sh makes the library, `make layer` the layer.
"""


def linked(link_map: Path, third_party: Path) -> dict[str, Path]:
    """Libraries whose archive members the linker took, by name, with their folders in the cache."""
    text = link_map.read_text()
    found = {}
    for link in sorted(third_party.iterdir()):
        if not link.is_dir() or link.name == "kernel-headers":
            continue
        # Zydis is in the loader, which bootstrap holds as bytes: no map of bootstrap's names it.
        if link.name == "zydis" or re.search(rf"{re.escape(str(link))}/lib/[^(\s]*\(", text):
            found[link.name] = link.resolve()
    return found


def version_of(folder: Path, name: str) -> str:
    """From the cache's folder name, NAME-VERSION-KEY."""
    return folder.name[len(name) + 1 :].rsplit("-", 1)[0]


def musl_version(architecture: str) -> str:
    """Of Debian's package, whose libc.a is linked in; those of other architectures may be installed besides."""
    package_name = f"musl-dev:{DEBIAN_ARCHITECTURE[architecture]}"
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package_name], check=True, capture_output=True, text=True).stdout


def package(name: str, version: str, licence: str, origin: str) -> dict[str, object]:
    """One SPDX package."""
    return {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": origin,
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
    }


def sbom(libraries: dict[str, Path], options: argparse.Namespace, program: bytes) -> bytes:
    """The SPDX document; its namespace holds the program's digest, as it must be unique."""
    digest = hashlib.sha256(program).hexdigest()
    own = package(options.name, options.version, "Apache-2.0", "NOASSERTION")
    own["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest}]
    packages = [own]
    for name, folder in {**libraries, "musl": None}.items():
        version_linked = version_of(folder, name) if folder else musl_version(options.architecture)
        packages.append(package(name, version_linked, SPDX[name], "NOASSERTION"))
    relationships = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]}]
    for other in packages[1:]:
        relationships.append({"spdxElementId": own["SPDXID"], "relationshipType": "STATIC_LINK", "relatedSpdxElement": other["SPDXID"]})
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{options.name}-{options.version}",
        "documentNamespace": f"urn:sha256:{digest}",
        "creationInfo": {"created": "1980-01-01T00:00:00Z", "creators": ["Tool: layer-build/layer.py"]},
        "packages": packages,
        "relationships": relationships,
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def contents(options: argparse.Namespace) -> dict[str, tuple[bytes, int]]:
    """Everything in the zip: name -> bytes and mode."""
    program = options.program.read_bytes()
    libraries = linked(options.map, options.third_party)
    files = {} if options.papers else {"bootstrap": (program, 0o755)}
    files["share/licenses/scar/NOTICE"] = (NOTICE.encode(), 0o644)
    files["share/licenses/scar/scar/LICENSE"] = (Path("LICENSE").read_bytes(), 0o644)
    sources = {name: sorted((folder / "licenses").glob("*")) for name, folder in libraries.items()}
    sources["musl"] = [MUSL_COPYRIGHT]
    for name, paths in sources.items():
        if not paths:
            sys.exit(f"layer: no licence file of {name} in {libraries[name]}")
        for path in paths:
            files[f"share/licenses/scar/{name}/{path.name}"] = (path.read_bytes(), 0o644)
    files["share/doc/scar/sbom.spdx.json"] = (sbom(libraries, options, program), 0o644)
    return files


def write_zip(files: dict[str, tuple[bytes, int]], output: Path) -> None:
    """Under its name when it is whole."""
    temporary = output.with_suffix(".tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            data, mode = files[name]
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix: the mode bits count
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=9)
    temporary.replace(output)
    size = output.stat().st_size
    print(f"{output}  {size} bytes ({size / 1048576:.2f} MiB), {len(files)} files")


def write_folder(files: dict[str, tuple[bytes, int]], output: Path) -> None:
    """Below the folder, which is made."""
    for name, (data, mode) in files.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--name", default="faas-supervisor", help="of the program, for the SBOM")
    parser.add_argument("--map", type=Path, required=True, help="the map that ld wrote when it linked the program")
    parser.add_argument("--third-party", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--architecture", required=True, choices=sorted(DEBIAN_ARCHITECTURE))
    parser.add_argument("--papers", action="store_true", help="only licences and SBOM, into the folder OUTPUT")
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    (write_folder if options.papers else write_zip)(contents(options), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
