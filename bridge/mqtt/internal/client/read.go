package client

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sighub/internal/mqtt/packet"
)

// maxPacket is how many bytes a packet of the broker may have.
const maxPacket = 1 << 20

// usualRead is how many bytes are read at a time, unless a packet has more.
const usualRead = 16 << 10

// A packetReader cuts what a connection carries into packets.
type packetReader struct {
	conn interface {
		io.Reader
		SetReadDeadline(at time.Time) error
	}
	// alive is how long the next packet may take from its beginning, or from the end of the one before; 0: what the connection says.
	alive time.Duration
	buf   []byte
	data  []byte // of buf, which is not read yet
}

// next returns the next packet. It is valid until next is called again.
func (r *packetReader) next() (packet.Raw, error) {
	for waits := false; ; waits = true {
		p, rest, size, ok, err := packet.Next(r.data, maxPacket)
		switch {
		case err != nil:
			return p, fmt.Errorf("%w: %w", ErrProtocol, err)
		case ok:
			r.data = rest
			return p, nil
		}
		if !waits && r.alive > 0 {
			_ = r.conn.SetReadDeadline(time.Now().Add(r.alive)) // the read fails if this does
		}
		if err := r.more(size); err != nil {
			return p, readError(err)
		}
	}
}

// more reads more of a packet, which has size bytes as far as that is known. Memory is taken as bytes arrive, not as they are announced.
func (r *packetReader) more(size int) error {
	room := usualRead
	if size > usualRead {
		room = min(size, max(usualRead, 2*len(r.data)))
	}
	if len(r.buf) != room {
		r.buf = make([]byte, room)
	}
	n := copy(r.buf, r.data)
	k, err := io.ReadAtLeast(r.conn, r.buf[n:], 1)
	r.data = r.buf[:n+k]
	return err
}

// readError says what it means that nothing more can be read or written.
func readError(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return ErrSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w by the broker", ErrClosed)
	case errors.As(err, new(*net.OpError)):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
}
