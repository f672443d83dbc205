package=libzstd
versions='1.5.4+dfsg2-5'
sha256='8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953 libzstd_1.5.4+dfsg2.orig.tar.xz'
build()
{
    make -C lib -j"$JOBS" libzstd.a ZSTD_LEGACY_SUPPORT=0 ZSTD_LIB_DEPRECATED=0 ZSTD_LIB_DICTBUILDER=0
    cp lib/libzstd.a "$OUT/lib/"
    cp lib/zstd.h lib/zstd_errors.h "$OUT/include/"
}
