package listen

import (
	"io"
	"slices"
	"strings"
	"time"
)

// strangers are programs that speak another protocol, known by their first bytes: browsers, monitoring, port scanners, and
// clients that mean another server's port.
var strangers = []struct {
	protocol string
	begins   []string
	contains string // in the first bytes, too, after a length
}{
	{protocol: "HTTP", begins: []string{
		"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "TRACE ", "CONNECT ", "PRI * HTTP/",
	}},
	{protocol: "TLS", begins: []string{"\x16\x03"}},
	{protocol: "SSH", begins: []string{"SSH-"}},
	{protocol: "MQTT", begins: []string{"\x10"}, contains: "MQ"},
	{protocol: "AMQP", begins: []string{"AMQP"}},
	{protocol: "RTSP", begins: []string{"DESCRIBE ", "SETUP "}},
	{protocol: "SIP", begins: []string{"INVITE ", "REGISTER "}},
	{protocol: "SMTP", begins: []string{"EHLO", "HELO"}},
	{protocol: "FTP", begins: []string{"USER "}},
	{protocol: "VNC", begins: []string{"RFB "}},
	{protocol: "RDP", begins: []string{"\x03\x00\x00"}},
	{protocol: "SOCKS", begins: []string{"\x05\x01\x00", "\x05\x02\x00", "\x04\x01"}},
	{protocol: "Redis", begins: []string{"*1\r\n", "*2\r\n", "*3\r\n", "PING\r\n", "INFO\r\n"}},
	{protocol: "SMB", begins: []string{"\x00\x00"}, contains: "SMB"},
	{protocol: "PostgreSQL", begins: []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f"}},
	{protocol: "PROXY", begins: []string{"PROXY "}},
}

// firstBytes is how many bytes of a stranger are looked at.
const firstBytes = 24

// protocolOf returns what a stranger speaks whose first bytes these are, or what they look like.
func protocolOf(first []byte) string {
	text := string(first)
	for _, s := range strangers {
		begins := func(begin string) bool { return strings.HasPrefix(text, begin) }
		if slices.ContainsFunc(s.begins, begins) && strings.Contains(text, s.contains) {
			return s.protocol
		}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r < ' ' && !strings.ContainsRune("\t\r\n", r) }) {
		return "unknown, binary"
	}
	return "unknown, text"
}

// wholeTime is how long the first bytes of a stranger may take that is told what it speaks, and nothing else.
const wholeTime = 200 * time.Millisecond

// dismiss deals with a stranger in whose protocol nobody here takes part.
func (s *Server) dismiss(c *conn) error {
	first := make([]byte, firstBytes)
	_ = c.SetReadDeadline(time.Now().Add(wholeTime)) // fails only when it is closed already
	n, _ := io.ReadFull(c, first)                    // what has come is enough
	return s.tellStranger(c, first[:n])
}

// tellStranger logs what a stranger seems to speak.
func (s *Server) tellStranger(c *conn, first []byte) error {
	first = first[:min(len(first), firstBytes)]
	s.options.Logger.Warn("connection closed: it speaks another protocol", "client", c.peer.Addr, "protocol", protocolOf(first),
		"begins", string(first))
	return errStranger
}
