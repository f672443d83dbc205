# SPDX-License-Identifier: Apache-2.0
"""Twenty images of Debian, made by umoci as a user makes them, one on another: what we unpack of each, from a layout, from skopeo's docker-archive and from
a registry with zstd layers, must be the tree of `umoci unpack --rootless`.

    python3 -m tests.pull.compare [NAME...]

The last line is "N passed, N failed, N skipped".
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import chroot, images, trees
from tests.support.images import run
from tests.support.places import ROOT, Missing, cache, scratch, tool
from tests.support.registry import Registry

APT = "apt-get -qq install -y --no-install-recommends"
# A name, the image that it is built on, and what is done there. Several steps are several layers.
RECIPES: dict[str, tuple[str, list[str]]] = {
    "hello": ("", [f"{APT} hello"]),
    "cron": ("", [f"{APT} cron"]),
    "sudo": ("cron", [f"{APT} sudo", "useradd -m worker && chown worker /opt"]),
    "ssh": ("", [f"{APT} openssh-client"]),
    "nginx": ("", [f"{APT} nginx-light", "rm /etc/nginx/sites-enabled/default && echo ok > /var/www/html/index.html"]),
    "redis": ("", [f"{APT} redis-server"]),
    "sqlite": ("hello", [f"{APT} sqlite3", "sqlite3 /var/lib/db 'create table t (x)'"]),
    "git": ("ssh", [f"{APT} git", "git init -q /srv/repo"]),
    "vim": ("", [f"{APT} vim-tiny", "apt-get -qq purge -y vim-tiny"]),
    "tcc": ("", [f"{APT} tcc libc6-dev", "apt-get -qq purge -y libc6-dev && apt-get -qq autoremove -y"]),
    "ruby": ("", [f"{APT} ruby"]),
    "lua": ("hello", [f"{APT} lua5.4", "update-alternatives --display lua-interpreter > /etc/lua"]),
    "ping": ("", [f"{APT} iputils-ping libcap2-bin"]),
    "locales": ("", [f"{APT} locales", "localedef -i de_DE -f UTF-8 de_DE.UTF-8"]),
    "no-docs": ("sqlite", ["rm -rf /usr/share/doc /usr/share/man /usr/share/locale", "mkdir /usr/share/doc && echo new > /usr/share/doc/README"]),
    "no-perl": ("", ["dpkg --purge --force-depends perl", "rm -rf /var/lib/apt/lists/*"]),
    "links": ("", ["cd /srv && echo a > a && ln a b && ln a c && ln -s a s && ln -s /etc/passwd p", "cd /srv && rm a && echo d > d && ln d e && mv s moved"]),
    "types": ("", ["cd /srv && mkdir was-dir && touch was-dir/f was-file && ln -s / was-link", "cd /srv && rm -r was-dir was-link && touch was-dir && rm was-file && mkdir was-file was-link && touch was-link/x"]),
    "odd": ("", ["cd /srv && touch 'a b' \"$(printf 'new\\nline')\" '*' -- -x \u00e4\u00f6\u00fc \"$(printf '%0255d' 0)\" && mkdir -p $(printf 'deep/%.0s' $(seq 200)) && truncate -s 300M sparse && echo end >> sparse"]),
    "modes": ("", ["cd /srv && mkdir closed && touch closed/f && chmod 0 closed/f && chmod 0555 closed && mkfifo fifo && touch set && chmod 6755 set && mkdir sticky && chmod 1777 sticky && touch -d 1999-01-02 old", "touch /srv/closed/g && touch -d 2001-01-01 /srv/sticky"]),
}


def make(folder: Path, layout: Path, name: str) -> None:
    """Adds the image to the layout, after that which it is built on; a layer a step."""
    base, steps = RECIPES[name]
    run(tool("umoci"), "tag", "--image", f"{layout}:{base or 'latest'}", name)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    for step in steps:
        bundle = folder / "bundle"
        run(tool("umoci"), "unpack", "--image", f"{layout}:{name}", bundle)
        rootfs = bundle / "rootfs"
        for file in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(file, rootfs / file[1:])
        lists = "apt-get -qq update; " if APT in step else ""
        done = chroot.run(rootfs, ["/bin/sh", "-ec", lists + step], env)
        if done.returncode != 0:
            raise Missing(f"{name}: {step}: {done.stderr.decode(errors='replace')[-500:]}")
        run(tool("umoci"), "repack", "--image", f"{layout}:{name}", bundle)
        shutil.rmtree(bundle)


def collection() -> Path:
    """One layout with all of them, in the cache."""
    folder = cache("compare")
    key = images.key_of(images.image("debian").name, repr(RECIPES))
    final = folder / key
    with images.locked(folder / "lock"):
        if not final.is_dir():
            for stale in [path for path in folder.iterdir() if path.is_dir()]:
                shutil.rmtree(stale)
            print("     making the images", flush=True)
            with tempfile.TemporaryDirectory(dir=scratch()) as place:
                making = Path(shutil.copytree(images.image("debian"), Path(place, "layout")))
                for name in RECIPES:
                    make(Path(place), making, name)
                shutil.copytree(making, folder / f"{key}.part")
            (folder / f"{key}.part").rename(final)
    return final


@contextmanager
def sources(layout: Path, name: str, registry: Registry, folder: Path) -> Iterator[dict[str, str]]:
    """The same image in several forms."""
    archive = folder / "archive.tar"
    run(tool("skopeo"), "copy", "-q", f"oci:{layout}:{name}", f"docker-archive:{archive}:{name}:latest")
    zstd = f"{registry.host}/compare/{name}:zstd"
    run(tool("skopeo"), "copy", "-q", "--dest-tls-verify=false", "--dest-compress-format=zstd", f"docker-archive:{archive}", f"docker://{zstd}")
    yield {"layout": f"oci:{layout}:{name}", "docker-archive": f"docker-archive:{archive}", "registry, zstd": zstd}
    archive.unlink()


def check(layout: Path, name: str, registry: Registry) -> int:
    """@return how many forms were right"""
    good = 0
    with tempfile.TemporaryDirectory(prefix="scar-compare-", dir=scratch()) as place:
        folder = Path(place)
        run(tool("umoci"), "unpack", "--rootless", "--image", f"{layout}:{name}", folder / "bundle")
        devices = trees.devices_of(layout, name)
        with sources(layout, name, registry, folder) as forms:
            for form, reference in forms.items():
                done = subprocess.run([ROOT / "build/pull-run", folder / "store", reference], capture_output=True, text=True, check=False)
                differ = trees.differences(Path(done.stdout.rstrip("\n").partition(" rootfs ")[2]), folder / "bundle/rootfs", devices) if done.returncode == 0 else {"": done.stderr}
                print(f"{'FAIL' if differ else 'ok  '} {name} from {form}", flush=True)
                for key, facts in list(differ.items())[:10]:
                    print(f"     {key!r}: {facts}")
                good += not differ
                subprocess.run(["chmod", "-R", "u+rwX", folder / "store"], check=False)
                shutil.rmtree(folder / "store", ignore_errors=True)
        subprocess.run(["chmod", "-R", "u+rwX", folder / "bundle"], check=False)
    return good


def main() -> int:
    names = sys.argv[1:] or list(RECIPES)
    forms = 3 * len(names)
    passed = 0
    try:
        layout = collection()
        with Registry() as registry:
            passed = sum(check(layout, name, registry) for name in names)
    except Missing as missing:
        must = os.environ.get("SCAR_MUST_WORK") == "1"
        print(f"{'FAIL' if must else 'SKIP'}: {missing}")
        print(f"{passed} passed, {forms - passed if must else 0} failed, {0 if must else forms - passed} skipped")
        return must
    print(f"{passed} passed, {forms - passed} failed, 0 skipped")
    return passed != forms


if __name__ == "__main__":
    sys.exit(main())
