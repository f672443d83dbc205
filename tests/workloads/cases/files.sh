# image: debian
# quick: yes
# GNU tar, find, du, cp, mv, ln, install, touch, stat on trees.

cat > script <<'END_OF_SCRIPT'
set -eu
true
# The C library's files about the network are the machine's own.
tar -C / --exclude=etc/hosts --exclude=etc/resolv.conf -cf usr.tar usr/share/perl usr/lib/python3 etc
mkdir out && tar -C out -xpf usr.tar
tar -C / -df usr.tar && echo "tar finds no difference"
(cd out && find . -printf '%y %m %u %g %p %l\n' | sort | sha256sum)
(cd out && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
find out -type f -size +20k | wc -l
find /usr /etc -xdev -type d -print | wc -l
du -s --apparent-size out/etc | cut -f2
cp -a out copy && diff --no-dereference -r out copy && echo "the copy is the same"
ln copy/etc/passwd hard && stat -c '%h %s' hard && ln -s copy/etc soft && readlink -f soft/passwd
mv copy/etc moved && ls moved | wc -l && [ ! -e soft/passwd ] && echo "the link dangles"
install -D -m 750 -o 1 -g 2 /etc/hostname deep/er/file && stat -c '%a %u %g' deep/er/file
touch -d '2001-02-03 04:05:06 UTC' deep/er/file && stat -c %Y deep/er/file
dd if=/dev/zero of=sparse bs=1 count=0 seek=100M status=none && stat -c '%s %b' sparse
truncate -s 5 sparse && stat -c %s sparse
mkdir -p a/b/c && chmod 000 a/b && ls a/b && rm -r a && [ ! -e a ] && echo "root sees all"
echo new > /etc/added && mv /etc/issue /etc/issued && find /etc -newer usr.tar -type f -printf '%f\n' | sort && rm /etc/added && mv /etc/issued /etc/issue
split -n 3 usr.tar part. && cat part.* | cmp - usr.tar && echo "parts make the whole"
END_OF_SCRIPT
bash script
