# Linux's own headers, from the machine's linux-libc-dev, for a compiler that looks only at musl's.
build()
{
    link_kernel_headers "$OUT/include"
}
