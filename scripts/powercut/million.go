//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/port"
	"sighub/journal"
	"sighub/scripts/powercut/disk"
)

// dirty is what the line between the device and the hub does: each hundredth frame or so does not arrive as it was sent.
const dirty = "flip=2e-5,lose=2e-5,double=2e-5,insert=2e-5,drop=0.3%,repeat=0.3%"

// A marathon is a device that reports many readings over a dirty line to a hub that is killed and loses its power again and again,
// and a listener that must hear each once and in order.
type marathon struct {
	readings, kills, cuts int

	b       *bench
	program string
	dir     string
	addr    string
	line    string
	current atomic.Pointer[disk.Disk]
	mount   *liveMount
	hub     *hubProcess
	c       *cuts
	rng     *rand.Rand
	known   *ledger // as noted in the logs of the disks
}

func (b *bench) marathon(ctx context.Context, program string, readings, kills, fails int) (*cuts, error) {
	m := &marathon{readings: readings, kills: kills, cuts: fails, b: b, program: program, rng: rand.New(rand.NewPCG(b.seed, 5)), known: newLedger(),
		c: &cuts{name: fmt.Sprintf("%s readings, and %d × kill -9", grouped(readings), kills)}}
	start := time.Now()
	err := m.run(ctx)
	m.c.took = time.Since(start)
	if _, wrong := errors.AsType[violation](err); wrong {
		b.wrong(m.c, err)
		err = nil
	}
	return m.c, err
}

func (m *marathon) run(ctx context.Context) (err error) {
	if m.dir, err = os.MkdirTemp(m.b.dir, "long"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	m.addr = "unix://" + filepath.Join(m.dir, "hub")
	line, err := port.NewPTY("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, line.Close()) }()
	m.line = line.Path()

	around := newWorld(m.addr, newLedger(), func(note any) bool { d := m.current.Load(); return d != nil && d.Note(note) })
	living, fail := context.WithCancelCause(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer fail(nil)
	begin := func(f func() error) {
		others.Go(func() {
			if err := f(); err != nil && living.Err() == nil {
				fail(err)
			}
		})
	}
	for i, name := range []string{storing, trusting} {
		rng := rand.New(rand.NewPCG(m.b.seed, uint64(3000+i)))
		begin(func() error { return around.hear(living, name, false, rng) })
	}
	begin(func() error {
		return around.read(living, func(ctx context.Context) (io.ReadWriteCloser, error) { return line.Open(ctx) }, dirty, m.readings)
	})

	image, err := newFilesystem(m.b.dir, 4<<30)
	if err != nil {
		return err
	}
	if err := m.start(image); err != nil {
		return err
	}
	defer func() {
		if m.hub != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	defer func() {
		if _, wrong := errors.AsType[violation](err); wrong && m.hub != nil {
			err = violation{fmt.Errorf("%w; %s", err, m.say())}
		}
	}()
	for _, e := range m.plan() {
		if err := m.await(living, func(ctx context.Context) error {
			return around.until(ctx, func() bool { return around.known.acked[deviceName] >= e.at })
		}); err != nil {
			return err
		}
		if err := m.strike(living, e.power); err != nil {
			return err
		}
	}
	err = m.await(living, func(ctx context.Context) error {
		if err := around.until(ctx, func() bool { return around.known.acked[deviceName] >= m.readings }); err != nil {
			return err
		}
		return errors.Join(around.catchUp(ctx, storing), around.catchUp(ctx, trusting))
	})
	m.c.acked = m.readings
	return err
}

// A blow is what happens to the hub when this many readings are acknowledged.
type blow struct {
	at    int
	power bool
}

func (m *marathon) plan() []blow {
	all := make([]blow, 0, m.kills+m.cuts)
	for i := range m.kills + m.cuts {
		all = append(all, blow{at: m.rng.IntN(m.readings), power: i >= m.kills})
	}
	slices.SortFunc(all, func(a, b blow) int { return a.at - b.at })
	return all
}

// await waits for something as long as it may take, and no longer.
func (m *marathon) await(ctx context.Context, what func(context.Context) error) error {
	const patience = 5 * time.Minute
	waiting, end := context.WithTimeoutCause(ctx, patience, violation{fmt.Errorf("nothing moved for %s", patience)})
	defer end()
	done := make(chan error, 1)
	go func() { done <- what(waiting) }()
	select {
	case err := <-done:
		return err
	case <-m.hub.ended:
		end()
		return violation{errors.Join(fmt.Errorf("the hub has ended: %s", m.hub.story()), <-done)}
	}
}

// start mounts a disk and starts a hub on it.
func (m *marathon) start(image *disk.Image) (err error) {
	d := disk.New(image)
	if m.mount, err = mountDisk(d, m.dir, filepath.Join(m.dir, "mnt")); err != nil {
		return err
	}
	m.current.Store(d)
	return m.startHub()
}

func (m *marathon) startHub() (err error) {
	m.c.runs++
	m.hub, err = startHub(m.program, filepath.Join(m.mount.dir, "journal"), m.addr, "--serial", m.line)
	return err
}

// stop ends the hub and takes the disk away.
func (m *marathon) stop() error {
	m.mount.disk.Freeze()
	m.hub.kill()
	m.mount.disk.Release()
	<-m.hub.ended
	m.hub = nil
	return m.mount.remove()
}

// say kills the hub and says what is in its journal, which tells who has lost something.
func (m *marathon) say() string {
	m.hub.kill()
	<-m.hub.ended
	f, err := look(filepath.Join(m.mount.dir, "journal"), journal.Options{})
	if err != nil {
		return fmt.Sprintf("and in the journal: %v", err)
	}
	t := f.tracks[deviceName]
	if t == nil {
		return "and the journal has nothing"
	}
	return fmt.Sprintf("and the journal has all from %d to %d, as events %d to %d", t.first, t.last, f.oldest, f.last)
}

// strike kills the hub or cuts its power, and starts it again.
func (m *marathon) strike(ctx context.Context, power bool) error {
	if !power {
		m.hub.kill()
		<-m.hub.ended
		return m.startHub()
	}
	d := m.mount.disk
	select {
	case <-d.FreezeAfter(1 + m.rng.IntN(3)):
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := m.stop(); err != nil {
		return err
	}
	r := d.Recording()
	image, cut := r.Cut(m.rng, r.Len()-1, m.known.take)
	m.c.cuts++
	m.c.loose, m.c.dropped, m.c.torn = m.c.loose+cut.Loose, m.c.dropped+cut.Dropped, m.c.torn+cut.Torn
	file := filepath.Join(m.b.dir, "cut")
	if err := image.Save(file); err != nil {
		return err
	}
	if err := m.b.checkImage(ctx, plain{}, file, m.known, m.rng); err != nil {
		return violation{fmt.Errorf("after %d cuts: %w", m.c.cuts, err)}
	}
	return m.start(image)
}
