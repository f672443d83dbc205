# image: tools
# make and gcc on a small project, in parallel; the programs that come out run.

set -e
mkdir project && cd project
for i in $(seq 20); do printf '#include "all.h"\nint part%d(int x) { return x * %d; }\n' "$i" "$i" > part$i.c; done
for i in $(seq 20); do echo "int part$i(int x);"; done > all.h
{
    echo '#include <stdio.h>'
    echo '#include <pthread.h>'
    echo '#include "all.h"'
    echo 'static void *run(void *sum) { *(int *)sum += 0'
    for i in $(seq 20); do echo "+ part$i(2)"; done
    echo '; return 0; }'
    echo 'int main(void) { pthread_t t; int sum = 0; pthread_create(&t, 0, run, &sum); pthread_join(t, 0); printf("%d\\n", sum); return 0; }'
} > main.c
printf 'OBJECTS := $(patsubst %%.c,%%.o,$(wildcard *.c))\nprogram: $(OBJECTS)\n\t$(CC) -pthread -o $@ $^\n%%.o: %%.c all.h\n\t$(CC) -O2 -c -o $@ $<\n' > Makefile
make -j4 | sort
./program
sleep 0.1; touch all.h && make | wc -l
make | sort
cc -static -O1 -pthread -o static main.c part*.c && ./static
cc -shared -fPIC -o libparts.so part*.c && cc -pthread -o dynamic main.c -L. -lparts && LD_LIBRARY_PATH=. ./dynamic
ldd ./program | awk '{print $1}' | sort
gdb --version 2>/dev/null || objdump -d program | grep -c '<part1>:'
