//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sighub/hub"
)

// measureChip counts what the firmware loses on microcontrollers with a small ring, while the hub commits as seldom as it ever does.
func measureChip(ctx context.Context, b *bench, t *table) error {
	if b.chip == "" || b.firmware == "" {
		return errors.New("--chip and --firmware say where the simulator and its program are")
	}
	for _, m := range []struct{ chips, rate int }{{1, 1}, {1, 5}, {1, 20}, {2, 20}} {
		what := fmt.Sprintf("ATmega328P with the library's own ring, %d readings/s", m.rate)
		if m.chips > 1 {
			what = fmt.Sprintf("%d of them at once", m.chips)
		}
		gaps, heard, err := b.chipsAt(ctx, m.chips, m.rate)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		t.row(what+": gaps", gaps, "", 0)
		t.least("of these, heard", heard, "a second", 0.9*float64(m.chips*m.rate))
	}
	return nil
}

// chipsAt has so many microcontrollers take so many readings a second each. It returns how many gaps a hub has told of, and how many
// readings a second it has told.
func (b *bench) chipsAt(ctx context.Context, chips, rate int) (told, heard float64, err error) {
	dir, remove, err := b.temp()
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	var lines, serial []string
	for i := range chips {
		lines = append(lines, filepath.Join(dir, fmt.Sprint("line", i)))
		serial = append(serial, fmt.Sprintf("%s?name=chip%d&naming={device}.{sender}", lines[i], i))
	}
	h, err := b.startHub(ctx, hubOptions{state: filepath.Join(dir, "state"), serial: serial})
	if err != nil {
		return 0, 0, err
	}
	defer h.stop()
	if err := h.useUp(ctx); err != nil { // before the microcontroller makes it commit
		return 0, 0, err
	}
	c, err := h.client(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var readings, gaps atomic.Int64
	connected := make(chan struct{}, 16)
	_, err = c.AddRemoteListener(ctx, "", "", func(ev hub.Event) {
		switch {
		case ev.Name == hub.Gap:
			gaps.Add(1)
		case ev.Name == "lux" || ev.Name == "temp":
			readings.Add(1)
		case ev.Name == hub.Connect && strings.HasSuffix(ev.Sender, ".board"):
			connected <- struct{}{}
		}
	})
	if err != nil {
		return 0, 0, err
	}
	var running []func()
	defer func() {
		for _, end := range running {
			end()
		}
	}()
	for i, line := range lines {
		end, err := b.startChip(ctx, line, i+1)
		if err != nil {
			return 0, 0, err
		}
		running = append(running, end)
	}
	for i := range lines {
		select {
		case <-connected:
		case <-time.After(patience):
			return 0, 0, fmt.Errorf("%d of %d microcontrollers connect: %s", i, chips, h.Said())
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	for i := range lines { // each has two readings in each period
		if _, err := c.RemoteRequest(ctx, fmt.Sprintf("chip%d.board", i), "period", 2000/rate); err != nil {
			return 0, 0, err
		}
	}
	before, start := readings.Load(), time.Now()
	if err := pause(ctx, b.span(15*time.Second, time.Minute)); err != nil {
		return 0, 0, err
	}
	return float64(gaps.Load()), float64(readings.Load()-before) / time.Since(start).Seconds(), nil
}

// startChip starts the simulator of a microcontroller, whose identity follows from the seed. end ends it.
func (b *bench) startChip(ctx context.Context, line string, seed int) (end func(), err error) {
	log, err := os.Create(line + ".log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.CommandContext(ctx, b.chip, "--link", line, "--seed", strconv.Itoa(seed), "--saw", "0:0:4990:7", "--saw", "1:300:1400:11", b.firmware)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_, _ = io.WriteString(in, "quit\n") // if it has ended, that is fine
		_ = in.Close()
		_ = cmd.Wait()
	}, nil
}
