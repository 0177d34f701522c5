// Command relay forwards length-prefixed messages without looking at them: the most that a broker on this machine could do. A connection
// begins with two bytes: S to send or L to listen, and the room, which is any byte. The relay answers with one byte. Then senders send
// messages, each after its length in 4 bytes, and every listener of the room gets all of them. A listener that does not read blocks its
// room.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: relay ADDRESS")
		os.Exit(2)
	}
	l, err := net.Listen("tcp", os.Args[1])
	if err == nil {
		err = serve(l)
	}
	fmt.Fprintln(os.Stderr, "relay:", err)
	os.Exit(1)
}

func serve(l net.Listener) error {
	r := &relay{rooms: make(map[byte][]*listener)}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go r.serve(c)
	}
}

type relay struct {
	mu    sync.Mutex
	rooms map[byte][]*listener // copied when changed
}

type listener struct {
	mu sync.Mutex // one sender at a time
	c  net.Conn
}

func (r *relay) serve(c net.Conn) {
	defer c.Close() //nolint:errcheck // it is over
	var hello [2]byte
	if _, err := io.ReadFull(c, hello[:]); err != nil {
		return
	}
	room := hello[1]
	if hello[0] == 'S' {
		if _, err := c.Write([]byte{'k'}); err == nil {
			r.forward(c, room)
		}
		return
	}
	l := &listener{c: c}
	l.mu.Lock()
	r.change(room, func(ls []*listener) []*listener { return append(slices.Clone(ls), l) })
	_, err := c.Write([]byte{'k'}) // before any message
	l.mu.Unlock()
	if err == nil {
		_, _ = io.Copy(io.Discard, c) // until it is closed
	}
	r.change(room, func(ls []*listener) []*listener {
		return slices.DeleteFunc(slices.Clone(ls), func(other *listener) bool { return other == l })
	})
}

func (r *relay) change(room byte, f func([]*listener) []*listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rooms[room] = f(r.rooms[room])
}

func (r *relay) listeners(room byte) []*listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms[room]
}

func (r *relay) forward(c net.Conn, room byte) {
	buf, n := make([]byte, 64<<10), 0
	for {
		read, err := c.Read(buf[n:])
		n += read
		whole := wholeMessages(buf[:n])
		if whole > 0 {
			for _, l := range r.listeners(room) {
				l.write(buf[:whole])
			}
			n = copy(buf, buf[whole:n])
		}
		if err != nil || n == len(buf) {
			return
		}
	}
}

// wholeMessages returns where the last message ends that is there to its end.
func wholeMessages(b []byte) int {
	end := 0
	for len(b)-end >= 4 {
		next := end + 4 + int(binary.BigEndian.Uint32(b[end:]))
		if next > len(b) {
			break
		}
		end = next
	}
	return end
}

func (l *listener) write(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.c.Write(b) // one that fails is closed, and its own goroutine sees that
}
