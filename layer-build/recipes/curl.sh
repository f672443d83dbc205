# HTTP and HTTPS, proxies, unix sockets; nothing else. Names are resolved by a thread, with musl's own resolver.
versions='7.88.1-10+deb12u15 7.88.1-10+deb12u5'
sha256='cdb38b72e36bc5d33d5b8810f8018ece1baa29a8f215b4495e495ded82bbf3c7 curl_7.88.1.orig.tar.gz'
needs='zlib openssl'
build()
{
    # Debian's patches touch the inputs of configure but nothing that this build uses of them; do not run the autotools again.
    find . -exec touch -h -d 2020-01-01 {} +
    touch -d 2020-01-02 aclocal.m4
    find . \( -name '*.in' -o -name configure \) -exec touch -d 2020-01-03 {} +
    LIBS='-lpthread' ./configure --host="$HOST" --prefix="$OUT" --disable-shared --enable-static \
        --with-openssl="$(dep openssl)" --with-zlib="$(dep zlib)" --without-ca-bundle --without-ca-path --without-ca-fallback \
        --enable-http --enable-proxy --enable-ipv6 --enable-threaded-resolver --enable-unix-sockets \
        --disable-dict --disable-file --disable-ftp --disable-gopher --disable-imap --disable-ldap --disable-ldaps --disable-mqtt \
        --disable-pop3 --disable-rtsp --disable-smb --disable-smtp --disable-telnet --disable-tftp \
        --disable-alt-svc --disable-doh --disable-hsts --disable-ntlm --disable-ntlm-wb --disable-tls-srp --disable-manual \
        --disable-libcurl-option --disable-ares --disable-debug --disable-curldebug \
        --without-brotli --without-gssapi --without-libgsasl --without-libidn2 --without-libpsl --without-librtmp --without-libssh \
        --without-libssh2 --without-nghttp2 --without-nghttp3 --without-ngtcp2 --without-quiche --without-zstd
    make -C lib -j"$JOBS"
    make -C lib install
    make -C include install
}
