//go:build linux || darwin

package port

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"testing"
)

func TestOpeners(t *testing.T) {
	for _, name := range Openers() {
		if name == OpenerTarm && runtime.GOOS != "linux" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			opener, err := NewOpener(name)
			must(t, err)
			pty, err := NewPTY("")
			must(t, err)
			defer pty.Close()
			device, err := pty.Open(t.Context())
			must(t, err)
			defer device.Close()
			open := func() Port {
				port, err := opener.Open(pty.Path(), 115200)
				must(t, err)
				return port
			}

			t.Run("EveryByte", func(t *testing.T) {
				port := open()
				defer port.Close()
				all := make([]byte, 256)
				for i := range all {
					all[i] = byte(i)
				}
				for _, way := range [][2]Port{{port, device}, {device, port}} {
					if _, err := way[0].Write(all); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(all))
					within(t, "reading", func() { _, err = io.ReadFull(way[1], got) })
					if err != nil || !bytes.Equal(got, all) {
						t.Errorf("%x, %v", got, err)
					}
				}
			})
			t.Run("DrainKeeps", func(t *testing.T) {
				port := open()
				_, err := port.Write([]byte("the last word"))
				must(t, err)
				within(t, "drain", func() { must(t, port.(Drainer).Drain()) })
				must(t, port.Close())
				got := make([]byte, len("the last word"))
				within(t, "reading", func() { _, err = io.ReadFull(device, got) })
				if err != nil || string(got) != "the last word" {
					t.Errorf("%q, %v", got, err)
				}
			})
			t.Run("Rate", func(t *testing.T) {
				port := open()
				defer port.Close()
				setter, ok := port.(RateSetter)
				if ok == (name == OpenerTarm) {
					t.Fatalf("its rate can be set: %t", ok)
				}
				if !ok {
					return
				}
				for _, rate := range []int{9600, 250000, 1000000} {
					within(t, "SetBaud", func() { must(t, setter.SetBaud(rate)) })
					_, err := port.Write([]byte{1, 0, 2})
					must(t, err)
					got := make([]byte, 3)
					within(t, "reading", func() { _, err = io.ReadFull(device, got) })
					if err != nil || !bytes.Equal(got, []byte{1, 0, 2}) {
						t.Errorf("at %d: %x, %v", rate, got, err)
					}
				}
				must(t, port.Close())
				if setter.SetBaud(9600) == nil {
					t.Error("the rate of a closed port was set")
				}
			})
			t.Run("CloseWakesRead", func(t *testing.T) {
				port := open()
				ended := make(chan error, 1)
				go func() {
					_, err := port.Read(make([]byte, 10))
					ended <- err
				}()
				within(t, "Close", func() { must(t, port.Close()); must2(t, port.Close()) })
				within(t, "Read", func() {
					if err := <-ended; err == nil {
						t.Error("Read gives nothing, and no error")
					}
				})
			})
			t.Run("CloseWakesWrite", func(t *testing.T) {
				port := open()
				ended := make(chan error, 1)
				go func() {
					for {
						if _, err := port.Write(make([]byte, 1<<16)); err != nil { // nobody reads it
							ended <- err
							return
						}
					}
				}()
				runtime.Gosched()
				within(t, "Close", func() { _ = port.Close() })
				within(t, "Write", func() {
					if err := <-ended; err == nil {
						t.Error("no error")
					}
				})
			})
			t.Run("HangUp", func(t *testing.T) {
				must(t, pty.Restore())
				port := open()
				defer port.Close()
				ended := make(chan error, 1)
				go func() {
					buf := make([]byte, 1<<16)
					for {
						if _, err := port.Read(buf); err != nil {
							ended <- err
							return
						}
					}
				}()
				pty.Cut()
				within(t, "Read", func() {
					if err := <-ended; err == nil {
						t.Error("no error")
					}
				})
			})
		})
	}
	if _, err := NewOpener("nosuch"); err == nil {
		t.Error("an unknown opener")
	}
	if o, err := NewOpener(""); err != nil || o == nil {
		t.Error(err)
	}
}

func must2(t *testing.T, err error) {
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	for _, name := range Openers() {
		if name == OpenerTarm && runtime.GOOS != "linux" {
			continue
		}
		opener, err := NewOpener(name)
		must(t, err)
		_, err = opener.Open(dir+"/nothing", 115200)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a path that is not there: %v", name, err)
		}
		if Remedy(err) == "" {
			t.Errorf("%s: no remedy for %v", name, err)
		}
		if _, err = opener.Open(dir+"/file", 115200); err == nil {
			t.Errorf("%s: a plain file was opened", name)
		}
	}
	pty, err := NewPTY(dir + "/port")
	must(t, err)
	defer pty.Close()
	first, err := Open(pty.Path(), 9600)
	must(t, err)
	defer first.Close()
	if runtime.GOOS == "linux" {
		if _, err := Open(pty.Path(), 9600); err == nil || Remedy(err) == "" {
			t.Errorf("the port was opened twice: %v", err)
		}
	}
	for _, err := range []error{fs.ErrNotExist, fs.ErrPermission, errNotTerminal, io.EOF} {
		if Remedy(err) == "" {
			t.Errorf("no remedy for %v", err)
		}
	}
}

func TestPTY(t *testing.T) {
	link := t.TempDir() + "/port"
	p, err := NewPTY(link)
	must(t, err)
	if p.Path() != link {
		t.Errorf("path %s", p.Path())
	}
	port, err := p.Open(t.Context())
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := port.Read(make([]byte, 1))
		ended <- err
	}()
	p.Cut()
	p.Cut()
	within(t, "Read", func() {
		if err := <-ended; err == nil {
			t.Error("Read from a line that was cut")
		}
	})
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link after Cut: %v", err)
	}
	opened := make(chan error, 1)
	go func() {
		_, err := p.Open(t.Context())
		opened <- err
	}()
	must(t, p.Restore())
	within(t, "Open", func() { must(t, <-opened) })
	must(t, p.Close())
	must(t, p.Close())
	if _, err := p.Open(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	must(t, os.WriteFile(link, nil, 0o600))
	if _, err := NewPTY(link); err == nil {
		t.Error("a file was replaced by a link")
	}
}
