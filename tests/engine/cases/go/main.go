// SPDX-License-Identifier: Apache-2.0

// The conformance cases of a static Go program: no C library, stacks of a few kilobytes, a scheduler that
// sends signals to its own threads, and handlers for all of them. As in conform.h, each case prints what it sees.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const canary = "/scar-canary-of-the-host"

func see(format string, args ...any) {
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func seeError(label string, err error) {
	var errno syscall.Errno
	switch {
	case err == nil:
		see("%s: ok", label)
	case errors.As(err, &errno):
		see("%s: %s", label, errno.Error())
	default:
		see("%s: %v", label, err)
	}
}

func put(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		see("write %s: %v", name, err)
	}
}

func files() {
	put("f", "content")
	os.Mkdir("d", 0o755)
	put("d/in", "inside")
	os.Symlink("/conform/go_files/d", "l")
	os.Symlink(canary, "c")
	for _, name := range []string{"f", "l", "l/in", "l/../f", "none", canary, "c", "/../.." + canary, "f/x", ""} {
		text, err := os.ReadFile(name)
		see("%s: %q", name, text)
		seeError("read "+name, err)
		info, err := os.Stat(name)
		if err == nil {
			see("stat %s: %v", name, info.Mode())
		}
		_, err = os.Lstat(name)
		seeError("lstat "+name, err)
	}
	real, err := filepath.EvalSymlinks("l/in")
	see("real %s", real)
	seeError("real", err)
	seeError("chmod", os.Chmod("l/in", 0o600))
	seeError("rename", os.Rename("l/in", "moved"))
	seeError("link", os.Link("moved", "hard"))
	seeError("truncate", os.Truncate("hard", 3))
	seeError("chown", os.Chown("hard", 12, 34))
	seeError("chtimes", os.Chtimes("hard", time.Unix(1e9, 0), time.Unix(1e9, 5)))
	info, _ := os.Stat("hard")
	stat := info.Sys().(*syscall.Stat_t)
	see("hard: %d bytes, %v, %d:%d, %d links", info.Size(), info.ModTime().UTC(), stat.Uid, stat.Gid, stat.Nlink)
	var names []string
	filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	see("walked %v", names)
	seeError("remove all", os.RemoveAll("d"))
	cwd, _ := os.Getwd()
	see("in %s", cwd)
	self, _ := os.Executable()
	see("runs %s", self)
	_, err = os.Open(strings.Repeat("x", 256))
	seeError("long name", err)
	_, err = os.Open(strings.Repeat("/", 4096))
	seeError("long path", err)
}

func manyGoroutines() {
	var wait sync.WaitGroup
	var wrong atomic.Int64
	for i := 0; i < 64; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			name := fmt.Sprintf("g%d", i)
			for n := 0; n < 100; n++ {
				text := fmt.Sprintf("%d-%d", i, n)
				put(name, text)
				got, err := os.ReadFile("/conform/go_goroutines/" + name)
				if err != nil || string(got) != text {
					wrong.Add(1)
				}
				if _, err := os.Stat(canary); err == nil {
					wrong.Add(1)
				}
			}
		}(i)
	}
	// What never yields is preempted by a signal.
	stop := make(chan bool)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	wait.Wait()
	close(stop)
	see("%d wrong", wrong.Load())
}

// deep grows the stack so that calls happen at every depth of it.
func deep(n int) int {
	var room [200]byte
	room[n%200] = 1
	if _, err := os.Lstat("/conform"); err != nil {
		return 1
	}
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(room[(n+1)%200])
}

func smallStacks() {
	results := make(chan int)
	for i := 0; i < 20; i++ {
		go func(i int) { results <- deep(i * 20) }(i)
	}
	total := 0
	for i := 0; i < 20; i++ {
		total += <-results
	}
	see("%d errors on growing stacks", total)
}

func programs() {
	for _, words := range [][]string{{"/bin/sh", "-c", "exit 3"}, {"/bin/echo", "hello"}, {"/bin/none"}, {"sh", "-c", "pwd"}, {"./script"}} {
		command := exec.Command(words[0], words[1:]...)
		out, err := command.CombinedOutput()
		see("%v: %q %v", words, out, err)
	}
	put("script", "#!/bin/sh\necho from a script $0\n")
	os.Chmod("script", 0o755)
	out, err := exec.Command("./script").CombinedOutput()
	see("%q %v", out, err)
	var wait sync.WaitGroup
	var wrong atomic.Int64
	for i := 0; i < 16; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			command := exec.Command("/bin/cat", "script")
			command.Dir = "/conform/go_programs"
			if out, err := command.Output(); err != nil || !strings.HasPrefix(string(out), "#!") {
				wrong.Add(1)
			}
		}()
	}
	wait.Wait()
	see("%d wrong", wrong.Load())
	command := exec.Command("/bin/sh", "-c", "while :; do :; done")
	seeError("start", command.Start())
	seeError("kill", command.Process.Kill())
	see("%v", command.Wait())
}

func faultsRecovered() {
	for i := 0; i < 3; i++ {
		func() {
			defer func() { see("recovered: %v", recover()) }()
			var pointer *int
			*pointer = i
		}()
	}
	_, _, errno := syscall.Syscall(syscall.SYS_OPENAT, ^uintptr(99), 8, 0)
	see("a bad pointer: %v", errno)
	_, _, errno = syscall.Syscall(syscall.SYS_CHDIR, 1<<62, 0, 0)
	see("no pointer at all: %v", errno)
}

func signals() {
	caught := make(chan os.Signal, 10)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGHUP)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGUSR1} {
		syscall.Kill(os.Getpid(), s)
		see("caught %v", <-caught)
	}
	signal.Ignore(syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	see("ignored")
	see("threads stay: %v", runtime.NumGoroutine() < 10)
}

func sockets() {
	listener, err := net.Listen("unix", "/conform/go_sockets/s")
	seeError("listen", err)
	if err != nil {
		return
	}
	see("at %v", listener.Addr())
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "served %s", r.URL.Path)
	}))
	client := http.Client{Transport: &http.Transport{Dial: func(_, _ string) (net.Conn, error) {
		return net.Dial("unix", "s")
	}}}
	for i := 0; i < 3; i++ {
		answer, err := client.Get(fmt.Sprintf("http://unix/%d", i))
		seeError("get", err)
		if err == nil {
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			see("%s", body)
		}
	}
	datagram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "d", Net: "unixgram"})
	seeError("datagrams", err)
	if err != nil {
		return
	}
	sender, err := net.DialUnix("unixgram", &net.UnixAddr{Name: "from", Net: "unixgram"}, &net.UnixAddr{Name: "/conform/go_sockets/d", Net: "unixgram"})
	seeError("dial", err)
	if err != nil {
		return
	}
	sender.Write([]byte("message"))
	room := make([]byte, 20)
	n, from, err := datagram.ReadFromUnix(room)
	see("%q from %v", room[:n], from)
	seeError("read", err)
	_, err = net.Dial("unix", canary)
	seeError("the host's", err)
}

func identity() {
	see("%d %d %d %d", os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid())
	groups, err := os.Getgroups()
	sort.Ints(groups)
	see("groups %d", len(groups))
	seeError("groups", err)
	put("mine", "")
	info, _ := os.Stat("mine")
	see("owner %d", info.Sys().(*syscall.Stat_t).Uid)
	link, err := os.Readlink("/proc/self/exe")
	see("exe %s", link)
	seeError("exe", err)
	link, _ = os.Readlink("/proc/self/cwd")
	see("cwd %s", link)
	link, _ = os.Readlink("/proc/self/root")
	see("root %s", link)
	_, err = os.Stat("/proc/self/root" + canary)
	seeError("the host's", err)
}

var cases = []struct {
	name string
	run  func()
}{
	{"go_files", files}, {"go_goroutines", manyGoroutines}, {"go_small_stacks", smallStacks}, {"go_programs", programs},
	{"go_faults", faultsRecovered}, {"go_signals", signals}, {"go_sockets", sockets}, {"go_identity", identity},
}

// Each case runs in a process of its own, in an empty directory.
func main() {
	if len(os.Args) == 3 && os.Args[1] == "@run" {
		for _, c := range cases {
			if c.name == os.Args[2] {
				c.run()
			}
		}
		return
	}
	for _, c := range cases {
		if len(os.Args) > 1 && os.Args[1] != c.name {
			continue
		}
		see("== %s", c.name)
		dir := "/conform/" + c.name
		os.MkdirAll(dir, 0o777)
		child := exec.Command("/proc/self/exe", "@run", c.name)
		child.Dir, child.Stdout, child.Stderr = dir, os.Stdout, os.Stderr
		late := time.AfterFunc(20*time.Second, func() { child.Process.Kill() })
		err := child.Run()
		late.Stop()
		see("case: %v", err)
	}
}
