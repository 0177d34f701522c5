package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sighub/access/identities"
	"sighub/internal/guard"
)

// patience bounds every wait of the scripts: much longer than anything takes on a busy machine.
const patience = time.Minute

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Short enough for a socket's path, wherever the tests run.
			env.Setenv("SIGHUB_HUB", "unix://"+t.TempDir()+"/hub.sock")
			env.Setenv("STATE_DIRECTORY", env.WorkDir+"/state")
			env.Setenv("RUNTIME_DIRECTORY", env.WorkDir+"/run") // the tests must not find a hub that runs on this machine
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each process takes a second to end, under the race detector
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"readenv":   readenv,
			"until":     until,
			"terminate": sends(syscall.SIGTERM),
			"hangup":    sends(syscall.SIGHUP),
			"kill9":     sends(syscall.SIGKILL),
			"token":     makeToken,
			"freeport":  freePort,
		},
	})
}

// until runs a command again and again until it succeeds and its output matches: until REGEXP COMMAND [ARG…]
// It is how a script waits for what other processes do.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND [ARG…]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		out, err := command(ctx, ts, args[1:])
		if err == nil && want.Match(out) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: never succeeded with %s; at last: %v\n%s", strings.Join(args[1:], " "), args[0], err, out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func command(ctx context.Context, ts *testscript.TestScript, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"PATH", "SIGHUB_HUB", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "HOME", "TMPDIR", "TZ", "GORACE"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.Bytes(), err
}

// makeToken lets the hub that will have a state folder know somebody by a token, and writes it into a file: token STATE NAME ROLE FILE
func makeToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: token STATE NAME ROLE FILE")
	}
	store, err := identities.Open(guard.Folder(ts.MkAbs(args[0])), identities.Options{})
	ts.Check(err)
	text, err := store.AddToken(args[1], []string{args[2]}, "of a test")
	ts.Check(errors.Join(err, store.Close(), os.WriteFile(ts.MkAbs(args[3]), []byte(text+"\n"), 0o600)))
}

// freePort sets variables to addresses at which nobody listens: freeport NAME…
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: freeport NAME…")
	}
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // so that no two are the same
		ts.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
}

// readenv sets a variable to the first line of a file: readenv NAME FILE
func readenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: readenv NAME FILE")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

// sends returns a command that sends a signal to the background commands whose command line contains a text: terminate TEXT
func sends(signal syscall.Signal) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: terminate, hangup or kill9 TEXT")
		}
		found := false
		for _, cmd := range ts.BackgroundCmds() {
			if strings.Contains(strings.Join(cmd.Args, " "), args[0]) {
				found = true
				ts.Check(cmd.Process.Signal(signal))
			}
		}
		if !found {
			ts.Fatalf("no background command contains %s", args[0])
		}
	}
}
