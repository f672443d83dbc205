# image: musl
# quick: yes
# Busybox as user land, and programs of musl, dynamic and static: threads that are cancelled, names, patterns, plugins, locales, children.

set -e
mkdir bin && cat > program.c <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <regex.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>
extern char **environ;
static void *wait_for_ever(void *fd) { char c; read(*(int *)fd, &c, 1); return NULL; }
static void *add(void *sum) { for (int i = 0; i < 100000; i++) __atomic_add_fetch((int *)sum, 1, __ATOMIC_RELAXED); return NULL; }
int main(int argc, char **argv)
{
	pthread_t threads[8]; int sum = 0, fds[2], status; void *result; regex_t pattern; char name[64]; pid_t pid;
	struct addrinfo *found, want = {.ai_socktype = SOCK_STREAM};
	char *const child[] = {"sh", "-c", "echo child of $0; exit 5", argv[0], NULL};
	for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, add, &sum);
	for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
	printf("sum %d\n", sum);
	pipe(fds); pthread_create(&threads[0], NULL, wait_for_ever, &fds[0]); usleep(50000);
	pthread_cancel(threads[0]); pthread_join(threads[0], &result); printf("cancelled %d\n", result == PTHREAD_CANCELED);
	printf("pattern %d\n", regcomp(&pattern, "^a(b|c)+$", REG_EXTENDED) || regexec(&pattern, "abcb", 0, NULL, 0));
	printf("locale %s, wide %d\n", setlocale(LC_ALL, "C.UTF-8"), wcwidth(0x4e2d));
	printf("address %d\n", getaddrinfo("127.0.0.1", "80", &want, &found));
	snprintf(name, sizeof name, "/musl-%d", getpid());
	sem_t *sem = sem_open(name, O_CREAT, 0600, 2); printf("semaphore %d\n", sem != SEM_FAILED && sem_wait(sem) == 0 && sem_unlink(name) == 0);
	int shm = shm_open(name, O_CREAT | O_RDWR, 0600); printf("memory %d\n", shm >= 0 && ftruncate(shm, 4096) == 0 && mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, shm, 0) != MAP_FAILED && shm_unlink(name) == 0);
	fflush(stdout);
	printf("spawn %d\n", posix_spawnp(&pid, "sh", NULL, NULL, child, environ)); waitpid(pid, &status, 0); printf("ended %d\n", WEXITSTATUS(status));
	if (argc > 1) { void *plugin = dlopen(argv[1], RTLD_NOW); int (*twice)(int) = plugin ? (int (*)(int))dlsym(plugin, "twice") : NULL; printf("plugin %d\n", twice ? twice(21) : -1); }
	errno = ENOENT; printf("%m\n");
	return 0;
}
END
echo 'int twice(int x) { return 2 * x; }' > plugin.c
musl-gcc -O1 -w -o dynamic program.c
musl-gcc -O1 -w -static -o static program.c
musl-gcc -O1 -shared -fPIC -o plugin.so plugin.c
export PATH=$HOME/bin
/bin/busybox --install -s $HOME/bin
./dynamic $PWD/plugin.so
./static
uname -s; id -u; ls -l /etc/passwd | awk '{print $1}'
find /usr -type f | wc -l
printf 'b\na\n' | sort | tr '\n' ' '; echo
tar -C / -cf - etc 2>/dev/null | tar -tf - | head -1
echo text | gzip | zcat; echo text | sha256sum
(sleep 0.1; echo later) & wait
vi --help 2>&1 | head -1; awk "BEGIN { print 2 * 512 }"; echo 'abc' | sed 's/b/B/'
mkdir -p $HOME/www && echo page > $HOME/www/index.html && httpd -p 127.0.0.1:8089 -h $HOME/www && wget -qO- http://127.0.0.1:8089/; killall httpd
/lib/ld-musl-x86_64.so.1 --list ./dynamic | sed "s/ (.*//"
