package wire

import "time"

const (
	quiet = 50 * time.Millisecond // after which the receiver may hold noise, which a zero ends
	burst = 256                   // bytes after which a writer looks again at what is most urgent
)

// A Transmitter gathers frames into what is written at once.
type Transmitter struct {
	last time.Time // of something written; zero: the port is new
}

// Fill calls pull, which appends one frame or nothing, until there is enough to write.
func (t *Transmitter) Fill(now time.Time, dst []byte, pull func(dst []byte) []byte) []byte {
	start := len(dst)
	if now.Sub(t.last) >= quiet {
		dst = append(dst, 0)
	}
	lead := len(dst)
	for len(dst)-start < burst {
		n := len(dst)
		if dst = pull(dst); len(dst) == n {
			break
		}
	}
	if len(dst) == lead {
		return dst[:start]
	}
	t.last = now
	return dst
}
