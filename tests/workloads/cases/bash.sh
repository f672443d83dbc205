# image: debian
# quick: yes
# What scripts do: pipes, here-documents, process substitution, coprocesses, traps, jobs, arrays.

cat > script <<'END_OF_SCRIPT'
set -eu
cat <<HERE | tr a-z A-Z
a here-document in $PWD
HERE
diff <(printf '1\n2\n') <(printf '1\n3\n') || echo "differ: $?"
coproc UP { tr a-z A-Z; }
echo "through a coprocess" >&"${UP[1]}"
exec {UP[1]}>&-
cat <&"${UP[0]}"
trap 'echo "trapped $?"' EXIT
(trap 'echo "inner trap"' USR1; kill -USR1 $BASHPID; echo after)
declare -A map=([one]=1 [two]=2)
for key in $(printf '%s\n' "${!map[@]}" | sort); do echo "$key=${map[$key]}"; done
{ sleep 0.2; echo "in the background"; } &
wait $!
mapfile -t lines < /etc/passwd
echo "${#lines[@]} users, first ${lines[0]%%:*}"
[[ "scar-1.2.3" =~ ([0-9]+)\.([0-9]+) ]] && echo "version ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
printf '%s\0' b a c | sort -z | xargs -0 -n1 echo item
timeout 0.2 sleep 5 || echo "timeout ended with $?"
(exec -a renamed bash -c 'echo $0')
ulimit -n 64; bash -c 'ulimit -n'
exec 3>out; echo "to three" >&3; exec 3>&-; cat out
mkfifo fifo; echo "through a fifo" > fifo & cat fifo
cd /usr/share/../lib; pwd; pwd -P; cd - > /dev/null
test -x /bin/ls && test ! -e /nonexistent && echo tests
echo $((16#ff + 2**10)) $(( $(wc -l < /etc/group) > 10 ))
exit 0
END_OF_SCRIPT
bash script
