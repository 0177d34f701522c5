package nats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// A guard looks at what a server sends before nats.go does, which takes as much memory as the server announces, and more for each byte of a
// line that does not end. It does not look into TLS, whose server has shown who it is.
type guard struct {
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

// errProtocol: the server sends what no server sends.
var errProtocol = errors.New("nats: the server does not keep to the protocol of NATS")

// Read implements [net.Conn].
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.look(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// look looks at what has come.
func (g *guard) look(p []byte) error {
	for len(p) > 0 && !g.blind {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip, p = g.skip-n, p[n:]
			continue
		}
		rest, after, ends := bytes.Cut(p, []byte{'\n'})
		if len(g.line)+len(rest) > longestLine {
			return fmt.Errorf("%w: a line has more than %d bytes", errProtocol, longestLine)
		}
		line := rest
		if len(g.line) > 0 || !ends {
			g.line = append(g.line, rest...)
			line = g.line
		}
		if p = after; !ends {
			break
		}
		if err := g.begin(line); err != nil {
			return err
		}
		g.line = g.line[:0]
	}
	return nil
}

// begin takes a line, which may begin a message. The first one says whether TLS comes behind it.
func (g *guard) begin(line []byte) error {
	if !g.begun {
		var info struct {
			TLS bool `json:"tls_required"`
		}
		_, arguments, _ := bytes.Cut(line, []byte{' '})
		g.begun, g.blind = true, g.secured || json.Unmarshal(arguments, &info) == nil && info.TLS
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
	g.skip = size + len("\r\n")
	return nil
}
