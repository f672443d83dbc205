versions='0.2.5-1'
sha256='fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e libyaml_0.2.5.orig.tar.gz'
build()
{
    [ -x configure ] || autoreconf -fi
    ./configure --host="$HOST" --prefix="$OUT" --disable-shared
    make -C include install
    make -C src -j"$JOBS" install
}
