# The archive lists 3.0.22-1~deb12u2 (security), whose .dsc and Debian part some mirrors lack while the original tarball is there. The
# plain 3.0.22 release holds the security fixes that Debian backported to 3.0.20, so it is taken before that older version;
# Debian's remaining patches touch tests, tools and packaging.
versions='3.0.22-1~deb12u2 3.0.20-1~deb12u2 3.0.17-1~deb12u2'
pristine='67ebca7e50d17383028045486653492195b83db95f8558709701bb47b5c1ef81 openssl_3.0.22.orig.tar.gz'
sha256='67ebca7e50d17383028045486653492195b83db95f8558709701bb47b5c1ef81 openssl_3.0.22.orig.tar.gz
    c80a01dfc70ece4dc21168932c37739042d404d46ccc81a5986dd75314ecda6f openssl_3.0.20.orig.tar.gz
    dfdd77e4ea1b57ff3a6dbde6b0bdc3f31db5ac99e7fdd4eaf9e1fbb6ec2db8ce openssl_3.0.17.orig.tar.gz'
build()
{
    # The certificate file is chosen at run time, so openssldir names no place of the build machine.
    # $CFLAGS is taken from the environment; the assembler code stays, digests and AES depend on it.
    ./Configure "linux-$ARCH" --prefix=/usr --libdir=lib --openssldir=/etc/ssl \
        no-shared no-tests no-dso no-engine no-legacy no-async no-comp no-module no-autoload-config no-ui-console no-capieng no-afalgeng \
        no-idea no-md2 no-md4 no-mdc2 no-rc2 no-rc4 no-rc5 no-bf no-cast no-seed no-camellia no-aria no-sm2 no-sm3 no-sm4 \
        no-whirlpool no-rmd160 no-dsa no-ec2m no-srp no-psk no-gost no-ssl3 no-tls1 no-tls1_1 no-dtls no-srtp \
        no-cmp no-cms no-ts no-ct no-rfc3779 no-ktls no-sctp no-siv no-scrypt
    make -j"$JOBS" build_libs
    make install_dev DESTDIR="$OUT"
    mv "$OUT"/usr/include/* "$OUT/include/"
    mv "$OUT"/usr/lib/*.a "$OUT/lib/"
    rm -rf "$OUT/usr"
}
