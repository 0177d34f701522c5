package mqtt_test

import (
	"fmt"
	"io"
	"testing"

	"sighub/internal/mqtt/packet"
)

// BenchmarkQoS1 is the time of a message from one client to a number of others, with QoS 1 on both ways, and a window of them.
func BenchmarkQoS1(b *testing.B) {
	for _, v := range []byte{4, 5} {
		for _, listeners := range []int{1, 10} {
			b.Run(fmt.Sprintf("v%d/to%d", v, listeners), func(b *testing.B) {
				w := newWorld(b, worldOptions{})
				w.benchmark(b, v, listeners)
			})
		}
	}
}

// benchmark publishes messages and waits until all listeners have heard them.
func (w *world) benchmark(b *testing.B, v byte, listeners int) {
	const window = 500
	heard := make(chan struct{}, listeners)
	for i := range listeners {
		sub, _ := w.connect(v, hello{id: fmt.Sprint("sub", i)})
		sub.subscribe(1, "pump/state")
		go func() {
			defer func() { heard <- struct{}{} }()
			var acks []byte
			for n := range b.N {
				t, flags, body, err := sub.next()
				if err != nil || t != packet.Publish {
					b.Errorf("%s after %d messages: %v", t, n, err)
					return
				}
				at := 2 + int(body[0])<<8 + int(body[1])
				if flags>>1&3 == 1 {
					acks = append(acks, byte(packet.Puback)<<4, 2, body[at], body[at+1])
				}
				if sub.r.Buffered() == 0 || len(acks) > 400 {
					if _, err := sub.Write(acks); err != nil {
						b.Error(err)
						return
					}
					acks = acks[:0]
				}
			}
			_, _ = sub.Write(acks)
		}()
	}
	pub, _ := w.connect(v, hello{id: "pub"})
	acked := make(chan int, window)
	go func() {
		var four [4]byte
		for range b.N {
			if _, err := io.ReadFull(pub.r, four[:]); err != nil {
				b.Error(err)
			}
			acked <- 1
		}
	}()
	b.ResetTimer()
	var out []byte
	flying := 0
	for n := range b.N {
		for flying == window || flying > 0 && len(acked) > 0 {
			if flying == window && len(acked) == 0 && len(out) > 0 {
				pub.send(out)
				out = out[:0]
			}
			<-acked
			flying--
		}
		out = append(out, pub.publishPacket("pump/state", "21.375", uint16(n%60000)+1)...)
		if flying++; len(out) > 4000 {
			pub.send(out)
			out = out[:0]
		}
	}
	pub.send(out)
	for range listeners {
		<-heard
	}
}
