//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// slowerBy is how much longer each sync takes in measureSend, so that the start of a program does not hide them.
const slowerBy = 10 * time.Millisecond

// slowDisk is a command that starts another one, whose syncs take longer. The process is stopped for nothing else.
func slowDisk() []string {
	return []string{
		"strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
		"-e", fmt.Sprintf("inject=fdatasync,fsync:delay_exit=%d", slowerBy.Microseconds()),
	}
}

// measureSend measures how much longer `sighub send` of one event takes with a journal than without, in syncs.
func measureSend(ctx context.Context, b *bench, t *table) error {
	dir, remove, err := b.temp()
	if err != nil {
		return err
	}
	defer remove()
	with, err := b.startHub(ctx, hubOptions{state: filepath.Join(dir, "with"), under: slowDisk()})
	if err != nil {
		return err
	}
	defer with.stop()
	without, err := b.startHub(ctx, hubOptions{state: filepath.Join(dir, "without"), config: "journal: off\n"})
	if err != nil {
		return err
	}
	defer without.stop()
	s, err := newSyncer(dir)
	if err != nil {
		return err
	}
	times := 12
	if !b.quick {
		times = 60
	}
	var kept, handed, syncs []time.Duration
	for i := range times + 2 {
		a, err := b.send(ctx, with)
		if err != nil {
			return errors.Join(err, s.close())
		}
		o, err := b.send(ctx, without)
		if err != nil {
			return errors.Join(err, s.close())
		}
		d, err := s.sync()
		if err != nil {
			return errors.Join(err, s.close())
		}
		if i >= 2 { // the first ones load the program
			kept, handed, syncs = append(kept, a), append(handed, o), append(syncs, d)
		}
	}
	sync := median(syncs) + slowerBy
	t.note("a send without a journal", fmt.Sprintf("%.1f ms", ms(median(handed))))
	t.note(fmt.Sprintf("the same with a journal, when a sync takes %.1f ms", ms(sync)), fmt.Sprintf("%.1f ms", ms(median(kept))))
	t.row("a send to an idle hub: how much longer with a journal", float64(median(kept)-median(handed))/float64(sync), "syncs", 2)
	return s.close()
}

// send runs the program once, on a hub that has nothing else to do.
func (b *bench) send(ctx context.Context, h *hubProcess) (time.Duration, error) {
	if err := pause(ctx, 60*time.Millisecond); err != nil { // for what the one before has left to be written
		return 0, err
	}
	cmd := exec.CommandContext(ctx, b.hub, "send", "trial", "hello", "1", "--hub", h.Addr)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("send: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return time.Since(start), nil
}
