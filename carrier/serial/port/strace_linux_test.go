package port

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const straced = "SIGHUB_STRACED_PORT"

// trace runs the test once more, in a process of its own that opens a pseudo terminal, and returns the path of that and what strace says.
func trace(t *testing.T, flags ...string) (path, text string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing: install it, on Debian with: sudo apt-get install strace")
	}
	pty, err := NewPTY("")
	must(t, err)
	defer pty.Close()
	file := filepath.Join(t.TempDir(), "trace")
	run := exec.Command(strace, append(append([]string{"-f", "-o", file}, flags...), os.Args[0], "-test.run=^"+t.Name()+"$")...)
	run.Env = append(os.Environ(), straced+"="+pty.Path())
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, err := os.ReadFile(file)
	must(t, err)
	return pty.Path(), string(said)
}

// TestNeverRaised: what is asked of the kernel for a port with both lines off never raises one, and writes nothing. The kernel's view is
// that of strace, in a process of its own.
func TestNeverRaised(t *testing.T) {
	if path := os.Getenv(straced); path != "" { // the process that is watched
		p, err := openNative(path, Settings{Baud: 9600, DTROff: true, RTSOff: true, Fresh: true})
		if err == nil {
			must(t, p.Close())
		}
		p, err = openNative(path, Settings{Baud: 9600})
		must(t, err)
		must(t, p.Close())
		return
	}
	path, text := trace(t, "-e", "trace=ioctl,write,openat,close")
	var calls []string
	fd := ""
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile(`openat\(.*"` + regexp.QuoteMeta(path) + `".* = (\d+)`).FindStringSubmatch(line); m != nil {
			fd = m[1]
			calls = append(calls, "open")
			continue
		}
		if m := regexp.MustCompile(`(ioctl|write|close)\((\d+)(?:, ([A-Z0-9]+))?(?:, \[?(TIOCM_[A-Z_|]+))?`).FindStringSubmatch(line); m != nil && m[2] == fd {
			calls = append(calls, strings.TrimSpace(strings.Join([]string{m[1], m[3], m[4]}, " ")))
			if m[1] == "close" {
				fd = ""
			}
		}
	}
	before, after, _ := strings.Cut(strings.Join(calls, "\n"), "close")
	if !strings.HasPrefix(before, "open\nioctl TIOCGEXCL\nioctl TIOCMBIC TIOCM_DTR|TIOCM_RTS") || strings.Contains(before, "TIOCMBIS") || strings.Contains(before, "TIOCMSET") ||
		strings.Contains(before, "write") {
		t.Errorf("with both lines off:\n%s", before)
	}
	if !strings.Contains(after, "TIOCMBIS TIOCM_DTR|TIOCM_RTS") { // or this test would see nothing
		t.Errorf("with both lines on:\n%s", after)
	}
}

// TestBreak: a break is as long as was asked for, behind all other settings, and nothing is written.
func TestBreak(t *testing.T) {
	if path := os.Getenv(straced); path != "" { // the process that is watched
		p, err := openNative(path, Settings{Baud: 9600, Fresh: true, Break: 30 * time.Millisecond})
		must(t, err)
		must(t, p.Close())
		return
	}
	_, text := trace(t, "-ttt", "-e", "trace=ioctl")
	m := regexp.MustCompile(`(?s)TCFLSH, TCIFLUSH.*\n\d+ +([0-9.]+) ioctl\(\d+, TIOCSBRK[^\n]*\n(?:[^\n]*TIOCSBRK[^\n]*\n)?\d+ +([0-9.]+) ioctl\(\d+, TIOCCBRK`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no break behind the settings:\n%s", text)
	}
	begin, err := strconv.ParseFloat(m[1], 64)
	must(t, err)
	end, err := strconv.ParseFloat(m[2], 64)
	must(t, err)
	if end-begin < 0.03 {
		t.Errorf("the break lasts %v s", end-begin)
	}
}

// TestBreakTooLong: what would keep a port from being opened for long is refused.
func TestBreakTooLong(t *testing.T) {
	for _, d := range []time.Duration{-1, MaxBreak + 1} {
		if err := (&Settings{Break: d}).Check(); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", d, err)
		}
	}
	if (&Settings{Break: 1}).Usual() {
		t.Error("a break is usual")
	}
}
