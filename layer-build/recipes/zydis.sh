# Sources only: the project compiles the decoder itself, for the loader (without a C library) and for each flavour of the host side.
# Its base headers come from the binary package libzycore-dev: they are all that a decoder without a C library needs of it.
versions='4.0.0-1'
sha256='e990107f80c62afc1deb51de230023a1098db801b8ea6bf483e296d45459e234 zydis_4.0.0.orig.tar.gz'
build()
{
    test -d /usr/include/Zycore || die "libzycore-dev is missing: run 'make setup'"
    cp -r include/Zydis "$OUT/include/"
    cp -r /usr/include/Zycore "$OUT/include/"
    cp -r src "$OUT/"
}
