package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// BeginsHTTP reports whether a method of HTTP may begin with this letter: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE,
// CONNECT, and PRI of HTTP/2.
func BeginsHTTP(first byte) bool { return strings.IndexByte("GHPDOTC", first) >= 0 }

// An answer is what HTTP gets as long as no protocol is there for it.
type answer struct {
	status string
	header string // a line more
	text   string
}

const (
	htmlPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>sighub</title></head>
<body style="font: 1em/1.5 sans-serif; max-width: 36em; margin: 2em auto; padding: 0 1em">
<h1>This is a sighub</h1>
<p>You have reached a hub for sensors. It is up. There is no web page here; programs connect to this port.</p>
<p>On the command line of any machine that reaches it, with the <code>sighub</code> program:</p>
<pre>sighub senders --hub HOST:PORT
sighub listen '*' '*' --hub HOST:PORT</pre>
<p>Programs in Go import the packages of sighub; others speak JSON or CBOR over TCP, with or without TLS.</p>
</body></html>
`
	textPage = `This is a port of a sighub, a hub for sensors. It is up. There is no web page here; programs connect to this port.

On the command line:    sighub senders --hub HOST:PORT
                        sighub listen '*' '*' --hub HOST:PORT
Other programs speak JSON or CBOR over TCP, with or without TLS.
`
	tlsPage = "This port of a sighub takes connections over TLS only. Write https:// instead of http://, and in the sighub program tls://HOST:PORT.\n"
)

// answerHTTP reads the head of a request and answers it. The error is errStranger if it is not HTTP after all.
func (s *Server) answerHTTP(c *conn) error {
	r := bufio.NewReaderSize(c, 4<<10)
	line, err := r.ReadSlice('\n')
	method, target, version := requestLine(string(line))
	if version == "" {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		return s.tellStranger(c, line)
	}
	html, understood, err := readHead(r)
	if err != nil {
		return err
	}
	if !understood {
		method = ""
	}
	a := answerTo(method, target, c.clear())
	if err := c.SetWriteDeadline(time.Now().Add(goodbyeTime)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, a.pack(method != "HEAD", html, time.Now())); err != nil {
		return err
	}
	s.count("stranger")
	s.options.Logger.Info("a browser or another client of HTTP was told what this port is", "client", c.peer.Addr)
	c.linger()
	return c.Close()
}

// readHead reads the lines of a head up to the empty one, and reports whether the client takes HTML. A line that is none of a
// head, or too much of it, is not understood.
func readHead(r *bufio.Reader) (html, understood bool, err error) {
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, ErrTooMuch), errors.Is(err, bufio.ErrBufferFull):
			return html, false, nil
		case err != nil:
			return html, false, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return html, true, nil
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return html, false, nil
		}
		html = html || strings.EqualFold(name, "Accept") && strings.Contains(value, "text/html")
	}
}

// requestLine takes the first line of a request apart. The version is empty if the line is not that of a request.
func requestLine(line string) (method, target, version string) {
	method, rest, ok1 := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !strings.HasPrefix(version, "HTTP/") || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", "", ""
	}
	return method, target, version
}

// answerTo returns the answer to a request; an empty method is of one that is not understood.
func answerTo(method, target string, inClear bool) answer {
	path, _, _ := strings.Cut(target, "?")
	switch {
	case method == "":
		return answer{status: "400 Bad Request", text: "This is not understood.\n"}
	case inClear:
		return answer{status: "400 Bad Request", text: tlsPage}
	case method != "GET" && method != "HEAD":
		return answer{status: "405 Method Not Allowed", header: "Allow: GET, HEAD\r\n"}
	case path != "/":
		return answer{status: "404 Not Found"}
	default:
		return answer{status: "200 OK"}
	}
}

// pack returns the answer as it is sent.
func (a answer) pack(body, html bool, now time.Time) string {
	kind, text := "text/plain", textPage
	switch {
	case a.text != "":
		text = a.text
	case html:
		kind, text = "text/html", htmlPage
	}
	head := fmt.Sprintf("HTTP/1.1 %s\r\nDate: %s\r\nServer: sighub\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %d\r\n%s"+
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"+
		"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n",
		a.status, now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), kind, len(text), a.header)
	if !body {
		return head
	}
	return head + text
}
