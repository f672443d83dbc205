# The tar reader. Filters other than zlib and zstd are left out; layers arrive here already decompressed.
versions='3.6.2-1+deb12u5 3.6.2-1+deb12u4'
sha256='9e2c1b80d5fbe59b61308fdfab6c79b5021d7ff4ff2489fb12daf0a96a83551d libarchive_3.6.2.orig.tar.xz'
needs='zlib zstd'
build()
{
    autoreconf -fi # the tarball's libtool is of another version than the patched parts expect
    CPPFLAGS="-isystem $(dep zlib)/include -isystem $(dep zstd)/include" LDFLAGS="-L$(dep zlib)/lib -L$(dep zstd)/lib" \
        ./configure --host="$HOST" --prefix="$OUT" --disable-shared --enable-static \
        --disable-bsdtar --disable-bsdcat --disable-bsdcpio --disable-acl --disable-xattr \
        --without-bz2lib --without-libb2 --without-iconv --without-lz4 --without-lzma --without-lzo2 --without-cng \
        --without-openssl --without-nettle --without-mbedtls --without-xml2 --without-expat
    make -j"$JOBS" libarchive.la
    cp .libs/libarchive.a "$OUT/lib/"
    cp libarchive/archive.h libarchive/archive_entry.h "$OUT/include/"
}
