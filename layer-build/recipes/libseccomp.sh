versions='2.5.4-1+deb12u1'
sha256='d82902400405cf0068574ef3dc1fe5f5926207543ba1ae6f8e7a1576351dcbdb libseccomp_2.5.4.orig.tar.gz'
build()
{
    ./configure --host="$HOST" --prefix="$OUT" --disable-shared --disable-python
    make -C include -j"$JOBS" install
    make -C src -j"$JOBS" libseccomp.la
    cp src/.libs/libseccomp.a "$OUT/lib/"
}
