# A dependency of curl and libarchive only; layers are inflated by ISA-L.
versions='1:1.2.13.dfsg-1'
sha256='71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1 zlib_1.2.13.dfsg.orig.tar.bz2'
build()
{
    CHOST=$HOST ./configure --static --prefix="$OUT"
    make -j"$JOBS" libz.a
    cp libz.a "$OUT/lib/"
    cp zlib.h zconf.h "$OUT/include/"
}
