# igzip alone: inflate at two to three times zlib's speed.
package=libisal
versions='2.30.0-5'
sha256='f363f1be3d657d5676cef5253ee2233e60116e2fa9c9de86881185bf81e0e4b8 libisal_2.30.0.orig.tar.xz'
build()
{
    # Makefile.unx sets its own CFLAGS; its assembler objects need no more.
    make -f Makefile.unx -j"$JOBS" host_cpu="$ARCH" units=igzip CC="$CC $CFLAGS" AR="$AR" lib
    cp bin/isa-l.a "$OUT/lib/libisal.a"
    mkdir "$OUT/include/isa-l"
    cp include/igzip_lib.h "$OUT/include/isa-l/"
}
