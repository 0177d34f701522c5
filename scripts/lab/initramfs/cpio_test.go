package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestArchive: what is written can be read by cpio, where there is one, and is what the format says, where not.
func TestArchive(t *testing.T) {
	var text bytes.Buffer
	a := archive{to: &text}
	a.dir("bin")
	a.add("dev", modeDevice|0o600, nil, 5, 1)
	a.program("bin/one", []byte("12345"))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		name              string
		mode, size, minor int
		data              string
	}
	want := []entry{
		{"bin", 0o040755, 0, 0, ""}, {"dev", 0o020600, 0, 1, ""}, {"bin/one", 0o100755, 5, 0, "12345"}, {"TRAILER!!!", 0, 0, 0, ""},
	}
	rest := text.Bytes()
	for i, w := range want {
		var field [13]int
		if string(rest[:6]) != "070701" {
			t.Fatalf("entry %d begins with %q", i, rest[:6])
		}
		for f := range field {
			if _, err := fmt.Sscanf(string(rest[6+8*f:14+8*f]), "%x", &field[f]); err != nil {
				t.Fatal(err)
			}
		}
		nameEnd := 110 + field[11]
		dataBegin := (nameEnd + 3) &^ 3
		got := entry{string(rest[110 : nameEnd-1]), field[1], field[6], field[10], string(rest[dataBegin : dataBegin+field[6]])}
		if got != w || rest[nameEnd-1] != 0 {
			t.Errorf("entry %d is %v, not %v", i, got, w)
		}
		rest = rest[(dataBegin+field[6]+3)&^3:]
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
	if cpio, err := exec.LookPath("cpio"); err == nil {
		cmd := exec.Command(cpio, "-t", "--quiet")
		cmd.Stdin = &text
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Join(strings.Fields(string(out)), " ") != "bin dev bin/one" {
			t.Errorf("cpio reads %q, %v", out, err)
		}
	}
}

type fullDisk struct{}

var errFull = errors.New("full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestArchiveTellsOfErrors(t *testing.T) {
	a := archive{to: fullDisk{}}
	a.dir("bin")
	if err := a.close(); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}
