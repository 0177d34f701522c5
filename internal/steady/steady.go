// Package steady writes to peers that read slowly: a write goes on for as long as something of it is taken now and then, and
// ends when nothing is taken for too long, or when all of it takes too long. It does so over TLS, too.
package steady

import (
	"errors"
	"net"
	"os"
	"time"
)

// piece is how many bytes are written at a time: something of each has to be taken in time.
const piece = 64 << 10

// Write writes b to nc. Something must be taken within each idle, and all of it until end. The error wraps
// [os.ErrDeadlineExceeded] if it is not; n bytes were taken.
func Write(nc net.Conn, b []byte, idle time.Duration, end time.Time) (n int, err error) {
	return write(nc, b, func() (by time.Time, last bool) {
		by = time.Now().Add(idle)
		if by.Before(end) {
			return by, false
		}
		return end, true
	})
}

// write writes b. Something must be taken until each time that due returns; after the last one, nothing more is written.
func write(nc net.Conn, b []byte, due func() (by time.Time, last bool)) (n int, err error) {
	for n < len(b) {
		by, last := due()
		if err := nc.SetWriteDeadline(by); err != nil {
			return n, err
		}
		took, err := nc.Write(b[n:min(len(b), n+piece)])
		n += took
		if err != nil && (took == 0 || last || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return n, err
		}
	}
	return n, nil
}
