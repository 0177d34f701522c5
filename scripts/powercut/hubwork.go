//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"sighub/journal"
	"sighub/scripts/powercut/disk"
)

// A hubProcess is `sighub run` on this machine.
type hubProcess struct {
	cmd   *exec.Cmd
	log   bytes.Buffer // read it when the process has ended
	ended chan struct{}
}

// startHub starts a hub that keeps its journal in a folder.
func startHub(program, dir, addr string, more ...string) (*hubProcess, error) {
	h := &hubProcess{ended: make(chan struct{})}
	h.cmd = exec.Command(program, append([]string{"run", "--listen", addr, "--state", filepath.Dir(dir), "--journal", dir}, more...)...)
	h.cmd.Stdout, h.cmd.Stderr = &h.log, &h.log
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = h.cmd.Wait() // its log says how it ended
		close(h.ended)
	}()
	return h, nil
}

// kill ends the hub as kill -9 does. What it waits for on a disk without power must be released.
func (h *hubProcess) kill() { _ = h.cmd.Process.Signal(syscall.SIGKILL) }

// story returns what the hub has logged, after its end.
func (h *hubProcess) story() string {
	lines := strings.Split(strings.TrimSpace(h.log.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// hubWork is work of a hub: programs send it numbered signals over a socket.
type hubWork struct {
	program string
	small   bool // a disk so small that segments are reused all the time
	sockets string
}

func (w *hubWork) name() string {
	if w.small {
		return "hub, a small disk"
	}
	return "hub"
}

func (w *hubWork) diskSize() int64 {
	if w.small {
		return 24 << 20
	}
	return 512 << 20
}

func (w *hubWork) run(ctx context.Context, d *disk.Disk, dir string, l *ledger, rng *rand.Rand) error {
	return w.between(ctx, d, dir, l, rng, 100+rng.IntN(900), false)
}

// between runs a hub and the programs around it until so much was acknowledged and, perhaps, heard. Then it cuts the hub's power.
func (w *hubWork) between(ctx context.Context, d *disk.Disk, dir string, l *ledger, rng *rand.Rand, acks int, thenHear bool) (err error) {
	socket := filepath.Join(w.sockets, "hub")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	h, err := startHub(w.program, dir, "unix://"+socket, "--serial", "none")
	if err != nil {
		return err
	}
	around := newWorld("unix://"+socket, l.clone(), d.Note)
	const patience = 3 * time.Minute
	living, end := context.WithTimeoutCause(ctx, patience, violation{fmt.Errorf("the hub does not work within %s", patience)})
	defer end()
	living, fail := context.WithCancelCause(living)
	defer fail(nil)
	var others sync.WaitGroup
	for i := range producers {
		name, rng := fmt.Sprint("p", i), rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		others.Go(func() {
			if err := around.produce(living, name, rng); living.Err() == nil {
				fail(err)
			}
		})
	}
	for _, name := range []string{storing, trusting} {
		rng := rand.New(rand.NewPCG(rng.Uint64(), 77))
		others.Go(func() {
			if err := around.hear(living, name, w.small, rng); living.Err() == nil {
				fail(err)
			}
		})
	}
	others.Go(func() {
		select {
		case <-h.ended:
			if living.Err() == nil {
				fail(violation{errors.New("the hub has ended")})
			}
		case <-living.Done():
		}
	})
	err = around.await(living, acks)
	if err == nil && thenHear {
		err = around.catchUp(living, storing)
	}
	d.Freeze()
	h.kill()
	d.Release()
	fail(nil)
	<-h.ended
	others.Wait()
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\nthe hub said: %s", err, h.story())
	}
	return err
}

func (w *hubWork) check(ctx context.Context, dir string, l *ledger, rng *rand.Rand) error {
	after := "after the cut"
	if rng.IntN(2) == 0 { // it must also go on
		after = "after the cut, another start and a kill -9"
		idle := disk.New(new(disk.Image))
		if err := w.between(ctx, idle, dir, l, rng, 20, true); err != nil {
			return fmt.Errorf("after the cut: %w", err)
		}
		idle.Recording().All(l.take)
	}
	f, err := look(dir, journal.Options{})
	if err == nil {
		err = l.compare(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", after, err)
	}
	return nil
}
