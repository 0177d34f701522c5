package fault

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// open opens a port through a cable, and returns it and what is at the other end of the inner port.
func open(t *testing.T, c *Cable, at End) (port io.ReadWriteCloser, far net.Conn) {
	t.Helper()
	port, err := c.Open(at, func() (io.ReadWriteCloser, error) {
		near, other := net.Pipe()
		far = other
		return near, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return port, far
}

// send sends as much as it can: who reads sees how much that was.
func send(to io.Writer, data []byte) { _, _ = to.Write(data) }

func newCable(t *testing.T, o Options) *Cable {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCablePace: in each direction and at each end, bytes keep to the rate and arrive as they are.
func TestCablePace(t *testing.T) {
	for _, at := range []End{HubEnd, DeviceEnd} {
		synctest.Test(t, func(t *testing.T) {
			c := newCable(t, Options{ToHub: Harm{Baud: 115200}, ToDevice: Harm{Baud: 9600}})
			port, far := open(t, c, at)
			data := frames(1000, rand.New(rand.NewPCG(1, 1)))
			begin := time.Now()
			var all sync.WaitGroup
			pass := func(from io.Writer, to io.Reader, baud int) {
				all.Go(func() {
					if _, err := from.Write(data); err != nil {
						t.Error(err)
					}
				})
				all.Go(func() {
					got := make([]byte, len(data))
					_, err := io.ReadFull(to, got)
					took, want := time.Since(begin), time.Duration(len(data))*10*time.Second/time.Duration(baud)
					if err != nil || !bytes.Equal(got, data) || took < want || took > want+2*tick {
						t.Errorf("%d bytes at %d baud took %s, instead of %s; %v", len(data), baud, took, want, err)
					}
				})
			}
			bauds := map[End][2]int{HubEnd: {9600, 115200}, DeviceEnd: {115200, 9600}}[at]
			pass(port, far, bauds[0])
			pass(far, port, bauds[1])
			all.Wait()
			if err := port.Close(); err != nil {
				t.Error(err)
			}
			if n := c.Stats().Bytes; n != 2*uint64(len(data)) {
				t.Errorf("%d bytes were counted, of %d", n, 2*len(data))
			}
		})
	}
}

// TestCableHarm: what a cable does in real time is what its lines do in virtual time.
func TestCableHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := frames(300, rand.New(rand.NewPCG(1, 1)))
		want, _ := carry(t, newLine(t, everything, 7), data, rand.New(rand.NewPCG(1, 1)))
		c := newCable(t, Options{Seed: 7, ToHub: everything, ToDevice: everything})
		port, far := open(t, c, HubEnd)
		defer port.Close()
		go send(far, data)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(port, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the harm differs, %v", err)
		}
		// The other direction has its own chance.
		go send(port, data)
		got = got[:len(got)/2]
		if _, err := io.ReadFull(far, got); err != nil || bytes.HasPrefix(want, got) {
			t.Errorf("both directions are harmed alike, %v", err)
		}
	})
}

// TestCableCut: a cut ends the port, Open refuses until the line is mended, and the device then boots.
func TestCableCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Seed: 1, Cut: time.Minute, Away: 5 * time.Second, Boot: "hello\r\n"}
		c := newCable(t, o)
		cuts, err := NewCuts(o)
		if err != nil {
			t.Fatal(err)
		}
		_, cut := cuts.At(time.Now())
		for i := range uint64(20) {
			port, far := open(t, c, HubEnd)
			text := make([]byte, len(o.Boot))
			if _, err := io.ReadFull(port, text); err != nil || string(text) != o.Boot {
				t.Fatalf("it begins with %q, %v", text, err)
			}
			if _, err := port.Read(make([]byte, 1)); !errors.Is(err, ErrCut) || !time.Now().Equal(cut) {
				t.Fatalf("Read ended %s after the cut: %v", time.Since(cut), err)
			}
			if _, err := port.Write([]byte("x")); !errors.Is(err, ErrCut) {
				t.Fatalf("Write: %v", err)
			}
			if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("the inner port is still open: %v", err)
			}
			if err := port.Close(); err != nil {
				t.Fatal(err)
			}
			if s := c.Stats(); s.Cuts != i+1 || s.Printed != (i+1)*uint64(len(o.Boot)) {
				t.Fatalf("%v after %d cuts", s, i+1)
			}
			_, mended := cuts.At(cut)
			for {
				_, err := c.Open(HubEnd, func() (io.ReadWriteCloser, error) { return nil, io.ErrUnexpectedEOF })
				if !errors.Is(err, ErrCut) {
					break
				}
				if !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("%v does not say that there is no port", err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if late := time.Since(mended); late < 0 || late > 100*time.Millisecond {
				t.Fatalf("mended %s after it should be", late)
			}
			_, cut = cuts.At(mended)
			if !time.Now().Before(cut) { // cut again already
				t.Fatal("choose another seed")
			}
		}
	})
}

// TestCableCutWhileOpening: a port that is opened while the line is being cut ends at once.
func TestCableCutWhileOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCable(t, Options{Cut: time.Second, Away: time.Hour})
		port, err := c.Open(DeviceEnd, func() (io.ReadWriteCloser, error) {
			time.Sleep(time.Minute)
			near, _ := net.Pipe()
			return near, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := port.Read(make([]byte, 1)); !errors.Is(err, ErrCut) {
			t.Error(err)
		}
		port.Close()
	})
}

// TestCableClose: Close wakes everything that waits, loses what is on the line, and may come again.
func TestCableClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCable(t, Options{ToHub: Harm{Baud: 50}, ToDevice: Harm{Baud: 50}, Cut: time.Hour})
		port, far := open(t, c, HubEnd)
		go send(far, make([]byte, 20_000)) // fills the line, and fails at the end
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for {
					if _, err := port.Read(make([]byte, 1)); err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Errorf("Read: %v", err)
						}
						return
					}
				}
			})
			all.Go(func() {
				if n, err := port.Write(make([]byte, 20_000)); n >= 20_000 || !errors.Is(err, os.ErrClosed) {
					t.Errorf("Write: %d, %v", n, err)
				}
			})
		}
		time.Sleep(10 * time.Second)
		if _, err := c.Open(HubEnd, nil); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("opened twice: %v", err)
		}
		for range 2 {
			all.Go(func() {
				if err := port.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		again, _ := open(t, c, HubEnd)
		if n := len(c.toHub.fifo.items) - c.toHub.fifo.room() + c.toDevice.flight.n; n != 0 {
			t.Errorf("%d bytes are left from before", n)
		}
		again.Close()
	})
}

// TestCableBackpressure: Write waits while nobody reads, and goes on when somebody does.
func TestCableBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCable(t, Options{})
		port, far := open(t, c, DeviceEnd)
		defer port.Close()
		data := frames(3000, rand.New(rand.NewPCG(1, 1)))
		written := false
		go func() {
			send(port, data)
			written = true
		}()
		time.Sleep(time.Hour)
		if written {
			t.Fatalf("%d bytes are on the line", len(data))
		}
		got := make([]byte, len(data))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, data) {
			t.Error("what arrives is not what was sent", err)
		}
	})
}

// TestCableInnerFails: when the port itself is lost, so is what is seen of it, and the cable can be used again.
func TestCableInnerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCable(t, Options{})
		port, far := open(t, c, HubEnd)
		far.Close()
		if _, err := port.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("Read: %v", err)
		}
		if _, err := port.Write([]byte("x")); !errors.Is(err, io.EOF) {
			t.Errorf("Write: %v", err)
		}
		port.Close()
		if _, err := c.Open(HubEnd, func() (io.ReadWriteCloser, error) { return nil, io.ErrNoProgress }); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("Open: %v", err)
		}
		port, _ = open(t, c, HubEnd)
		port.Close()
	})
}
