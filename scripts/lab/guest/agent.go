//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"sighub/scripts/lab/wire"
)

// maxCall bounds one call, in bytes.
const maxCall = 1 << 20

// An agent carries out calls, and reports what it sees.
type agent struct {
	mu  sync.Mutex // guards out, so that lines do not mix and sights are written in the order of their times
	out *json.Encoder

	programs  table[*exec.Cmd]
	listeners table[func()]
	held      table[*os.File]
}

func newAgent(out io.Writer) *agent { return &agent{out: json.NewEncoder(out)} }

// A table has values by name, for concurrent calls.
type table[V any] struct {
	mu sync.Mutex
	m  map[string]V
}

func (t *table[V]) put(name string, v V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[string]V)
	}
	t.m[name] = v
}

func (t *table[V]) get(name string) (V, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.m[name]
	if !ok {
		return v, fmt.Errorf("nothing is called %q", name)
	}
	return v, nil
}

func (t *table[V]) take(name string) (V, error) {
	v, err := t.get(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.m, name)
	return v, err
}

// tell writes a sight. If it has no time, its time is now.
func (a *agent) tell(s wire.Sight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.At == 0 {
		s.At = monotonic()
	}
	_ = a.out.Encode(wire.Line{Sight: &s}) // if that fails, serve ends too
}

func (a *agent) ready() {
	version, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	a.tell(wire.Sight{Kind: wire.Ready, Text: strings.TrimSpace(string(version))})
}

// serve answers calls until the connection ends.
func (a *agent) serve(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxCall)
	for lines.Scan() {
		var c wire.Call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("not a call: %w", err)
		}
		// A call may wait without end: it ends with the machine.
		go a.answer(c)
	}
	return lines.Err()
}

func (a *agent) answer(c wire.Call) {
	answer := wire.Answer{ID: c.ID}
	result, err := a.do(c)
	if err == nil && result != nil {
		answer.Result, err = json.Marshal(result)
	}
	if err != nil {
		answer.Error = fmt.Sprintf("%s: %v", c.Do, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.out.Encode(wire.Line{Answer: &answer}) // see tell
}

func (a *agent) do(c wire.Call) (any, error) {
	if c.Do == "start" || c.Do == "exec" {
		var p wire.Program
		if err := json.Unmarshal(c.With, &p); err != nil {
			return nil, err
		}
		if c.Do == "exec" {
			return a.exec(p)
		}
		return nil, a.start(p)
	}
	var t wire.Target
	if err := json.Unmarshal(c.With, &t); err != nil {
		return nil, err
	}
	switch c.Do {
	case "now":
		return monotonic(), nil
	case "signal":
		return nil, a.signal(t)
	case "process":
		return a.process(t)
	case "listen":
		return nil, a.listen(t)
	case "unlisten":
		return nil, a.unlisten(t)
	case "request":
		return request(t)
	case "hold":
		return nil, a.hold(t)
	case "release":
		return nil, a.release(t)
	case "chmod":
		return nil, os.Chmod(t.Path, os.FileMode(t.Mode))
	case "read":
		return readText(t.Path)
	case "write":
		return nil, os.WriteFile(t.Path, []byte(t.Text), 0o644)
	case "link":
		return nil, link(t)
	case "remove":
		return nil, os.RemoveAll(t.Path)
	case "list":
		return list(t.Path)
	case "terminal":
		return a.terminal(t)
	default:
		return nil, fmt.Errorf("no such command")
	}
}
