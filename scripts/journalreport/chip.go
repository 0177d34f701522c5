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
	"sync/atomic"
	"syscall"
	"time"

	"sighub/hub"
)

// measureChip counts what the firmware loses on a microcontroller with a small ring, while the hub commits as seldom as it ever does.
func measureChip(ctx context.Context, b *bench, t *table) error {
	if b.chip == "" || b.firmware == "" {
		return errors.New("--chip and --firmware say where the simulator and its program are")
	}
	for _, rate := range []int{1, 5, 20} {
		if err := b.chipAt(ctx, t, rate); err != nil {
			return fmt.Errorf("at %d readings/s: %w", rate, err)
		}
	}
	return nil
}

func (b *bench) chipAt(ctx context.Context, t *table, rate int) error {
	dir, remove, err := b.temp()
	if err != nil {
		return err
	}
	defer remove()
	line := filepath.Join(dir, "line")
	h, err := b.startHub(ctx, hubOptions{state: filepath.Join(dir, "state"), serial: []string{line}})
	if err != nil {
		return err
	}
	defer h.stop()
	if err := h.useUp(ctx); err != nil { // before the microcontroller makes it commit
		return err
	}
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	var readings, gaps atomic.Int64
	connected := make(chan struct{}, 16)
	_, err = c.AddRemoteListener(ctx, "", "", func(ev hub.Event) {
		switch {
		case ev.Name == hub.Gap:
			gaps.Add(1)
		case ev.Name == "lux" || ev.Name == "temp":
			readings.Add(1)
		case ev.Name == hub.Connect && ev.Sender == "board":
			connected <- struct{}{}
		}
	})
	if err != nil {
		return err
	}
	chip, err := b.startChip(ctx, dir, line)
	if err != nil {
		return err
	}
	defer chip()
	select {
	case <-connected:
	case <-time.After(patience):
		return fmt.Errorf("the microcontroller does not connect: %s", h.said())
	case <-ctx.Done():
		return ctx.Err()
	}
	// It has two readings each period.
	if _, err := c.RemoteRequest(ctx, "board", "period", 2000/rate); err != nil {
		return err
	}
	before, start := readings.Load(), time.Now()
	if err := pause(ctx, b.span(15*time.Second, time.Minute)); err != nil {
		return err
	}
	measured := float64(readings.Load()-before) / time.Since(start).Seconds()
	t.row(fmt.Sprintf("ATmega328P with the library's own ring, %d readings/s: gaps", rate), float64(gaps.Load()), "", 0)
	t.least("of these, heard", measured, "a second", 0.9*float64(rate))
	return nil
}

// startChip starts the simulator. end ends it.
func (b *bench) startChip(ctx context.Context, dir, line string) (end func(), err error) {
	log, err := os.Create(filepath.Join(dir, "chip.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.CommandContext(ctx, b.chip, "--link", line, "--saw", "0:0:4990:7", "--saw", "1:300:1400:11", b.firmware)
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
