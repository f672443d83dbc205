// SPDX-License-Identifier: Apache-2.0

// A static Go program that does what makes Go hard for a container engine: it makes system calls without a C library and from small
// stacks, starts a copy of itself as a child, and serves HTTP on loopback to itself from many goroutines. What it prints depends only
// on what it sees, so a real chroot must print the same.
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
	"path/filepath"
	"sync"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		input, err := io.ReadAll(os.Stdin)
		check(err)
		fmt.Printf("child read %d bytes, CHILD=%s\n", len(input), os.Getenv("CHILD"))
		os.Exit(3)
	}
	files()
	child()
	serve()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "goserver:", err)
		os.Exit(1)
	}
}

func files() {
	text, err := os.ReadFile("/etc/motd")
	check(err)
	fmt.Printf("motd: %s", text)
	cwd, err := os.Getwd()
	check(err)
	fmt.Println("cwd:", cwd)
	_, err = os.Stat("/etc/nothing")
	fmt.Println("missing is ENOENT:", errors.Is(err, fs.ErrNotExist))
	count := 0
	check(filepath.WalkDir("/app", func(path string, entry fs.DirEntry, err error) error {
		count++
		return err
	}))
	fmt.Println("entries in /app:", count)
}

func child() {
	self, err := os.Executable()
	check(err)
	fmt.Println("executable:", self)
	command := exec.Command(self, "child")
	command.Env = []string{"CHILD=yes"}
	input, err := command.StdinPipe()
	check(err)
	go func() {
		_, _ = input.Write(make([]byte, 200_000))
		_ = input.Close()
	}()
	out, err := command.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		check(fmt.Errorf("the child should end with 3: %w", err))
	}
	fmt.Printf("%sits status: %d\n", out, exit.ExitCode())
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		check(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello ", r.URL.Query().Get("n"))
		})))
	}()
	var group sync.WaitGroup
	good := make(chan bool, 50)
	for n := 0; n < cap(good); n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			answer, err := http.Get(fmt.Sprintf("http://%s/?n=%d", listener.Addr(), n))
			check(err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			check(err)
			good <- string(body) == fmt.Sprintf("hello %d", n)
		}(n)
	}
	group.Wait()
	close(good)
	right := 0
	for ok := range good {
		if ok {
			right++
		}
	}
	fmt.Printf("answers over HTTP: %d of %d\n", right, cap(good))
}
