package peers

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"sighub/scripts/bench/message"
)

// A broker's end of a connection that answers as the standard has it: what the client sends is compared byte by byte.
func TestMQTT(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	broker := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			broker <- err
			return
		}
		defer c.Close()
		for _, step := range []struct{ want, answer string }{
			{"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00", "\x20\x02\x00\x00"},
			{"\x82\x06\x00\x01\x00\x01t\x01", "\x90\x03\x00\x01\x01"},
			{"\x32\x47\x00\x01p\x00\x01" + quoted, "\x40\x02\x00\x01" + "\x32\x47\x00\x01t\x00\x09" + quoted},
			{"\x40\x02\x00\x09", ""},
		} {
			got := make([]byte, len(step.want))
			if _, err = io.ReadFull(c, got); err == nil && string(got) != step.want {
				t.Errorf("the client sends %q, want %q", got, step.want)
			}
			if err == nil {
				_, err = io.WriteString(c, step.answer)
			}
			if err != nil {
				break
			}
		}
		broker <- err
	}()

	heard := make(chan []byte, 1)
	m, err := dialMQTT(l.Addr().String(), "", func(p []byte) { heard <- bytes.Clone(p) })
	if err != nil {
		t.Fatal(err)
	}
	if err := m.subscribe("t"); err != nil {
		t.Fatal(err)
	}
	m.serve()
	p := m.publishTo("p")
	if err := p.Publish([]byte(pad)); err != nil {
		t.Fatal(err)
	}
	if err := p.Drain(); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-heard:
		if string(got) != pad {
			t.Errorf("%q was heard", got)
		}
	case <-time.After(Patience):
		t.Error("nothing was heard")
	}
	if err := <-broker; err != nil {
		t.Error(err)
	}
	m.Close()
	if err := p.Publish([]byte(pad)); err == nil {
		t.Error("something can be sent after the connection was closed")
	}
}

var (
	pad    = message.Filler + message.Filler
	quoted = `"` + pad + `"`
)
