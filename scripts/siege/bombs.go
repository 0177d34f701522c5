//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// checkPatience is how long `check` may compute for a configuration.
	checkPatience = 2 * time.Second
	// checkEnd is how long it may take in all, on a machine that is busy with other things.
	checkEnd = 3 * checkPatience
)

// bombs lets the program check configurations that are small and explode when they are parsed. Each must be refused or accepted
// soon, and with little memory.
func bombs(ctx context.Context, o *options) (v verdict, err error) {
	v.alone = true
	dir, err := os.MkdirTemp("", "siege")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	idle, _, err := check(ctx, o, dir, "calm", "serial: none\n")
	if err != nil {
		return v, err
	}
	for name, text := range configurations() {
		memory, took, err := check(ctx, o, dir, name, text)
		if err != nil {
			return v, err
		}
		v.add(o, name, memory-idle, took)
	}
	for name, path := range map[string]string{"a device without end": "/dev/zero", "a directory": dir, "a pipe": filepath.Join(dir, "pipe")} {
		if name == "a pipe" {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				return v, err
			}
		}
		memory, took, err := checkFile(ctx, o, path)
		if err != nil {
			return v, err
		}
		v.add(o, name, memory-idle, took)
	}
	return v, nil
}

func (v *verdict) add(o *options, name string, memory float64, took time.Duration) {
	v.memory = max(v.memory, memory)
	if took > checkPatience {
		v.more = append(v.more, fmt.Sprintf("%s: %.1f s", name, took.Seconds()))
	} else if memory > o.memory {
		v.more = append(v.more, fmt.Sprintf("%s: %.0f MB", name, memory))
	}
}

// check writes a configuration to a file and checks it.
func check(ctx context.Context, o *options, dir, name, text string) (memory float64, took time.Duration, err error) {
	file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, 0, err
	}
	return checkFile(ctx, o, file)
}

// checkFile runs `check` and returns the most memory that it has had, in MB, and how long it computed, or waited. It is ended when it takes
// far too much of either.
func checkFile(ctx context.Context, o *options, file string) (memory float64, took time.Duration, err error) {
	command := exec.CommandContext(ctx, o.hub, "check", "--config", file)
	start := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	done := make(chan struct{})
	go func() {
		_ = command.Wait() // most are refused
		close(done)
	}()
	for {
		select {
		case <-done:
			if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
				memory = max(memory, float64(usage.Maxrss)/1024)
			}
			if took = time.Since(start); took < checkEnd {
				took = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
			}
			return memory, took, nil
		case <-time.After(5 * time.Millisecond):
			memory = max(memory, residentOf(command.Process.Pid))
			if memory > tooMuch || time.Since(start) > checkEnd {
				_ = command.Process.Kill() // it may just have ended
			}
		}
	}
}

// configurations returns texts that are expensive to parse, by what they have.
func configurations() map[string]string {
	const mib = 1 << 20
	var anchors, indent, keys, aliases strings.Builder
	for i := range 1400 {
		indent.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for i := range 90_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	anchors.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&anchors, "a%d: &a%[1]d [%s*a%[3]d]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	aliases.WriteString("a: &a {}\n")
	for i := range 50_000 {
		fmt.Fprintf(&aliases, "b%d: *a\n", i)
	}
	return map[string]string{
		"open brackets":   strings.Repeat("[", mib-10),
		"nested lists":    strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000),
		"nested maps":     strings.Repeat("{a: ", 250_000),
		"dashes":          strings.Repeat("- ", 500_000),
		"many addresses":  "listen:\n" + strings.Repeat("  - tcp://127.0.0.1:1\n", 33_000),
		"many ports":      "serial:\n" + strings.Repeat("  - /dev/x\n", 60_000),
		"many keys":       keys.String(),
		"anchors":         strings.Repeat("&a ", 300_000) + "x",
		"laughs":          anchors.String(),
		"aliases":         aliases.String(),
		"indentation":     indent.String(),
		"quotes":          `a: "` + strings.Repeat(`\x41`, 260_000) + `"`,
		"tags":            strings.Repeat("!", mib-10),
		"comments":        strings.Repeat("#\n", 500_000),
		"block scalar":    "a: |\n" + strings.Repeat("  x\n", 250_000),
		"question marks":  strings.Repeat("? ", 500_000),
		"documents":       strings.Repeat("---\n", 250_000),
		"merge keys":      "a: &a {b: 1}\nc:\n" + strings.Repeat("  <<: *a\n", 100_000),
		"flow and colons": strings.Repeat("{:", 400_000),
		"4 MiB":           "a: " + strings.Repeat("x", 4*mib),
	}
}
