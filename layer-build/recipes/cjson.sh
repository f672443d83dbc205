versions='1.7.15-1+deb12u4'
sha256='5308fd4bd90cef7aa060558514de6a1a4a0819974a26e6ed13973c5f624c24b2 cjson_1.7.15.orig.tar.gz'
build()
{
    $CC $CFLAGS -c cJSON.c -o cJSON.o
    "$AR" rcsD "$OUT/lib/libcjson.a" cJSON.o
    mkdir "$OUT/include/cjson"
    cp cJSON.h "$OUT/include/cjson/"
}
