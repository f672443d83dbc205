# The archive lists deb12u5, whose Debian part some mirrors lack; deb12u2 is the next one that can be had (its security fixes are those up
# to April 2025). Expat reads only answers of the user's own cloud end points, in the scar command, never in bootstrap.
versions='2.5.0-1+deb12u5 2.5.0-1+deb12u2'
sha256='ab00ee05c7067fd10a35c5d2a4922ebba746ddd50ff83b79c828da17bbdf1757 expat_2.5.0.orig.tar.gz'
build()
{
    cd expat
    [ -x configure ] || ./buildconf.sh
    ./configure --host="$HOST" --prefix="$OUT" --disable-shared --without-xmlwf --without-examples --without-tests --without-docbook
    make -C lib -j"$JOBS" install
    cp expat_config.h "$OUT/include/" 2>/dev/null || true
}
