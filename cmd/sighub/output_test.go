package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/internal/safetext"
	"sighub/internal/terminal"
	"sighub/journal"
)

// TestAllOutputIsHarmless: the commands print through the functions of output.go only, which make every text harmless.
func TestAllOutputIsHarmless(t *testing.T) {
	own, err := filepath.Glob("*.go")
	files, err2 := filepath.Glob("../../internal/terminal/*.go")
	if err != nil || err2 != nil || len(own) < 10 || len(files) < 3 {
		t.Fatal(len(own), len(files), err, err2)
	}
	for _, name := range append(own, files...) {
		if filepath.Base(name) == "output.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, _ := f.X.(*ast.Ident)
			switch in := fmt.Sprint(of); {
			case in == "fmt" && (strings.HasPrefix(f.Sel.Name, "Fprint") || strings.HasPrefix(f.Sel.Name, "Print")),
				in == "io" && (f.Sel.Name == "WriteString" || strings.HasPrefix(f.Sel.Name, "Copy")),
				f.Sel.Name == "Write" || f.Sel.Name == "WriteString" || f.Sel.Name == "WriteTo":
				t.Errorf("%s: %s.%s prints past output.go", set.Position(call.Pos()), in, f.Sel.Name)
			}
			return true
		})
	}
}

const evil = "cam\x1b]0;PWNED\x07\x1b[2J\u009b31m\ngreenhouse  connected\u202e"

// harmless fails the test unless a text has these lines, and each is harmless.
func harmless(t *testing.T, text string, lines int) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(got) != lines {
		t.Errorf("%d lines instead of %d: %q", len(got), lines, text)
	}
	for _, line := range got {
		if err := safetext.Check(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestStrangersTexts(t *testing.T) {
	t.Run("senders", func(t *testing.T) {
		list := []hub.SenderInfo{{Name: evil, Connected: true, Events: []string{evil}, Units: map[string]string{evil: evil},
			Requests: []*string{new(evil)}, Client: &hub.ClientInfo{Name: evil, Addr: evil}}}
		var out strings.Builder
		if err := printSenders(&streams{out: &out}, list, false); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 2)
		out.Reset()
		if err := terminal.JSON(&out, list); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 1)
	})
	t.Run("events", func(t *testing.T) {
		for format, lines := range map[string]int{"text": 1, "json": 1, "csv": 2} {
			for _, data := range []any{evil, map[string]any{evil: evil}, hub.Connection{Reason: evil, Events: []string{evil}}} {
				var out strings.Builder
				ev := hub.Event{Sender: evil, Name: evil, Time: time.Unix(1, 0), Data: carrier.ValueOf(data)}
				if err := terminal.NewPrinter(&out, format).Print(ev); err != nil {
					t.Fatal(err)
				}
				harmless(t, out.String(), lines)
			}
		}
	})
	t.Run("journal", func(t *testing.T) {
		var out strings.Builder
		info := journalInfo{Folder: evil, Keeps: evil, MaxAge: evil, Ack: evil, OnFailure: evil, Error: evil}
		if err := new(journalInfoCommand).print(&streams{out: &out}, info); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 7)
		out.Reset()
		report := &journal.Report{Segments: []journal.SegmentReport{{Name: evil, Err: errors.New(evil)}}}
		if err := new(journalVerifyCommand).printText(&streams{out: &out}, report); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 3)
		out.Reset()
		h := historian{command: &historyCommand{Sender: evil, Output: "text", Chart: "always"}, s: &streams{out: &out}, unit: map[string]string{evil: evil}}
		h.number(evil, time.Unix(1, 0), terminal.One(1))
		if err := h.draw(); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 13)
	})
	t.Run("ports", func(t *testing.T) {
		var out strings.Builder
		port := serial.PortInfo{Port: evil, State: serial.PortFailed, Reason: evil, Remedy: evil, Error: evil + "2", ErrorAt: new(time.Now()),
			Device: &serial.DeviceInfo{Name: evil, UID: evil, Firmware: evil}}
		if err := portsTable(&out, []serial.PortInfo{port}, time.Now()); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String(), 4)
	})
	t.Run("errors", func(t *testing.T) {
		var out strings.Builder
		s := &streams{err: &out}
		s.complain(usageError{errors.Join(errors.New("one"), fmt.Errorf("two: %w", errors.New(evil)), errors.Join(errors.New("three")))})
		harmless(t, out.String(), 3)
		out.Reset()
		s.complain(fmt.Errorf("%w and %w", errors.New(evil), errors.New("b")))
		s.note("x %s", evil)
		harmless(t, out.String(), 2)
	})
}

// TestStrangersException: what a sender answers cannot look like a message of this program.
func TestStrangersException(t *testing.T) {
	addr := serve(t)
	a, err := address.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	r := hub.NewClientRouter(hub.ClientOptions{})
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = r.Serve(ctx, a.Connect(address.ClientOptions{})) }) // it ends with ctx
	defer serving.Wait()
	defer stop()
	answers := func(answer any, err error) hub.RequestHandler {
		return func(context.Context, string, carrier.Value) (any, error) { return answer, err }
	}
	if _, err := r.AddRemoteSender(ctx, "door", hub.SenderOptions{Requests: map[string]hub.RequestHandler{
		"fail": answers(nil, errors.New("\x1b[2J\x1b[H\nsighub: update needed: run this")),
		"read": answers(evil, nil),
	}}); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := try(t.Context(), "", "request", "--hub", addr, "door", "fail")
	if harmless(t, stderr, 1); code == exitDone || stdout != "" || !strings.HasPrefix(stderr, `sighub: \x1b[2J\x1b[H\nsighub: update`) {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	code, stdout, _ = try(t.Context(), "", "request", "--hub", addr, "door", "read")
	if harmless(t, stdout, 1); code != exitDone || !strings.HasPrefix(stdout, `"cam\u001b]0;PWNED\u0007`) {
		t.Errorf("%d %q", code, stdout)
	}
}

func TestLookAlikes(t *testing.T) {
	list := func(names ...string) (list []hub.SenderInfo) {
		for _, name := range names {
			list = append(list, hub.SenderInfo{Name: name})
		}
		return list
	}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"a", "b", "temp1", "temp2"}, ""},
		{[]string{"Door", "door"}, "Door and door differ only in capital letters: they are different senders"},
		{[]string{"door", "d\u043e\u043er"}, `"d\u043e\u043er" looks like "door": they are different senders`},
		{[]string{"s1", "sl"}, `"sl" looks like "s1": they are different senders`},
		{[]string{"d\u043e\u043er"}, `"d\u043e\u043er" mixes the letters of different alphabets that look alike`},
	} {
		if got := strings.Join(lookAlikes(list(test.names...)), "\n"); got != test.want {
			t.Errorf("%q: %s", test.names, got)
		}
	}
}
