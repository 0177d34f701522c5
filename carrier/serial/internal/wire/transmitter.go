package wire

import "time"

const (
	quiet = 50 * time.Millisecond // of silence, after which the receiver may have read noise, which a zero ends
	burst = 256                   // bytes, after which the writer looks again for what is most urgent
)

// A Transmitter gathers the frames that are written at once.
type Transmitter struct {
	last time.Time // of the latest write; zero: the port is new
}

// Fill calls pull, which appends one frame or nothing, until there is nothing more or enough for one write.
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
