//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/journal"
	"sighub/scripts/powercut/disk"
)

// bootPatience is how long a machine may take until something was acknowledged, on a computer that is busy.
const bootPatience = 3 * time.Minute

// harm is what the line between the device and the machine does.
const harm = "flip=1e-5,lose=1e-5,drop=0.2%"

// real switches a machine on and cuts its power, n times. Each time it goes on with the disk that is left. The programs around it
// are always the same.
func (b *bench) real(ctx context.Context, s *system, n int) (c *cuts, err error) {
	c = &cuts{name: "hub in a machine, real kernel"}
	start := time.Now()
	defer func() { c.took = time.Since(start) }()
	if err := s.prepare(b.dir); err != nil {
		return c, err
	}
	image, err := newFilesystem(b.dir, 512<<20)
	if err != nil {
		return c, err
	}
	socket := filepath.Join(b.dir, "line")
	line, err := newSocketLine(socket)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, line.close()) }()
	tcpPort, err := freePort()
	if err != nil {
		return c, err
	}

	var current atomic.Pointer[disk.Disk]
	around := newWorld(fmt.Sprintf("tcp://127.0.0.1:%d", tcpPort), newLedger(),
		func(note any) bool { d := current.Load(); return d != nil && d.Note(note) })
	living, fail := context.WithCancelCause(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer fail(nil)
	begin := func(f func() error) {
		others.Go(func() {
			if err := f(); living.Err() == nil {
				fail(err)
			}
		})
	}
	for i := range producers {
		rng := rand.New(rand.NewPCG(b.seed, uint64(1000+i)))
		begin(func() error { return around.produce(living, fmt.Sprint("p", i), rng) })
	}
	for i, name := range []string{storing, trusting} {
		rng := rand.New(rand.NewPCG(b.seed, uint64(2000+i)))
		begin(func() error { return around.hear(living, name, false, rng) })
	}
	begin(func() error { return around.read(living, line.open, harm, 0) })

	rng := rand.New(rand.NewPCG(b.seed, 99))
	known := newLedger()
	for c.cuts < n {
		image, err = b.bootAndCut(living, s, around, &current, image, known, rng, tcpPort, socket, c)
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

func (b *bench) bootAndCut(ctx context.Context, s *system, around *world, current *atomic.Pointer[disk.Disk], image *disk.Image,
	known *ledger, rng *rand.Rand, tcpPort int, socket string, c *cuts) (_ *disk.Image, err error) {
	dir, err := os.MkdirTemp(b.dir, "boot")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := disk.New(image)
	around.mu.Lock()
	before := around.acks
	around.mu.Unlock()
	current.Store(d)
	m, err := s.boot(d, dir, tcpPort, socket, "run", "--listen", fmt.Sprintf("tcp://0.0.0.0:%d?insecure=true", guestPort),
		"--serial", "/dev/ttyS1?baud=115200", "--state", "/data", "--journal", "/data/journal")
	if err != nil {
		return nil, err
	}
	waiting, end := context.WithTimeoutCause(ctx, bootPatience, violation{fmt.Errorf("the hub does not work within %s", bootPatience)})
	defer end()
	err = around.await(waiting, before+1)
	if err == nil {
		err = around.catchUp(waiting, storing)
	}
	if err == nil {
		select {
		case <-time.After(time.Duration(rng.Int64N(int64(1500 * time.Millisecond)))):
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err == nil && rng.IntN(4) > 0 { // when there is something to lose
		select {
		case <-d.FreezeAfter(1 + rng.IntN(4)):
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	d.Freeze()
	story := ""
	if err != nil {
		story = m.story()
	}
	if err := errors.Join(err, m.cut()); err != nil {
		return nil, fmt.Errorf("after %d cuts: %w\n%s", c.cuts, err, story)
	}
	r := d.Recording()
	image, cut := r.Cut(rng, r.Len()-1, known.take)
	c.cuts++
	c.runs++
	c.loose, c.dropped, c.torn, c.acked = c.loose+cut.Loose, c.dropped+cut.Dropped, c.torn+cut.Torn, known.total()
	file := filepath.Join(b.dir, "cut")
	if err := image.Save(file); err != nil { // a copy: what the kernel repairs here must be repaired by that of the machine, too
		return nil, err
	}
	if err := b.checkImage(ctx, plain{}, file, known, rng); err != nil {
		b.wrong(c, fmt.Errorf("%s, cut %d: %d of %d loose writes dropped and %d torn: %w", c.name, c.cuts, cut.Dropped, cut.Loose, cut.Torn, err))
	}
	return image, nil
}

// plain is work that is only looked at.
type plain struct{ work }

func (plain) check(_ context.Context, dir string, l *ledger, _ *rand.Rand) error {
	f, err := look(dir, journal.Options{})
	if err != nil {
		return err
	}
	return l.compare(f)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
