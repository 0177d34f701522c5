package nats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// A sentry looks at what a server sends before nats.go does, which takes as much memory as the server announces, and more for each byte of a
// line that does not end. It does not look into TLS, whose server has shown who it is.
type sentry struct {
	net.Conn
	secured bool // the bridge wants TLS
	begun   bool // the first line has come
	blind   bool // what comes is TLS

	line []byte // the beginning of a line, as far as it has come
	skip int    // how many bytes of a message are still to come
}

// Bounds of what a server may send, in bytes.
const (
	longestLine    = 64 << 10 // INFO names all servers of a cluster
	longestMessage = 8 << 20  // what nats-server recommends at the most
)

// errProtocol is the error of a server that breaks the protocol of NATS.
var errProtocol = errors.New("nats: the server does not keep to the protocol of NATS")

// Read implements [net.Conn].
func (s *sentry) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if bad := s.look(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// look looks at what has come.
func (s *sentry) look(p []byte) error {
	for len(p) > 0 && !s.blind {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip, p = s.skip-n, p[n:]
			continue
		}
		rest, after, ends := bytes.Cut(p, []byte{'\n'})
		if len(s.line)+len(rest) > longestLine {
			return fmt.Errorf("%w: a line has more than %d bytes", errProtocol, longestLine)
		}
		line := rest
		if len(s.line) > 0 || !ends {
			s.line = append(s.line, rest...)
			line = s.line
		}
		if p = after; !ends {
			break
		}
		if err := s.begin(line); err != nil {
			return err
		}
		s.line = s.line[:0]
	}
	return nil
}

// begin takes a line, which may begin a message. The first one says whether TLS comes behind it.
func (s *sentry) begin(line []byte) error {
	if !s.begun {
		var info struct {
			TLS bool `json:"tls_required"`
		}
		_, arguments, _ := bytes.Cut(line, []byte{' '})
		s.begun, s.blind = true, s.secured || json.Unmarshal(arguments, &info) == nil && info.TLS
		return nil
	}
	const blanks = " \t\r"
	op, arguments := line, line
	if i := bytes.IndexAny(line, blanks); i >= 0 {
		op, arguments = line[:i], bytes.TrimRight(line[i:], blanks)
	}
	if !bytes.EqualFold(op, []byte("MSG")) && !bytes.EqualFold(op, []byte("HMSG")) {
		return nil
	}
	size, err := strconv.Atoi(string(arguments[bytes.LastIndexAny(arguments, blanks)+1:]))
	if err != nil || size < 0 || size > longestMessage {
		return fmt.Errorf("%w: a message begins with %s, and may have %d bytes", errProtocol, shown(string(line)), longestMessage)
	}
	s.skip = size + len("\r\n")
	return nil
}
