package tcp

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

// TestReadingIsBoundedWhenWritingFails: what a client sent before it went is read, but no more of it than it may leave
// unanswered, although its replies can no longer be written.
func TestReadingIsBoundedWhenWritingFails(t *testing.T) {
	const most = 64
	path := t.TempDir() + "/hub"
	server, err := Listen("unix://"+path, Options{Limits: Limits{MaxOutstanding: most}})
	if err != nil {
		t.Fatal(err)
	}
	rec := carriertest.NewRecorder(t, "hub")
	var handled atomic.Int64
	deaf := make(chan struct{})
	rec.Handle = func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		if handled.Add(1) == 1 {
			go func() { <-deaf; respond(carrier.Done("nobody reads this")) }()
		}
	}
	serveCarrier(t, server, rec)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	fmt.Fprintln(nc, `{"id":1,"method":"hello","params":{"protocol":1,"name":"x","window":64}}`)
	if _, err := bufio.NewReader(nc).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c, err := rec.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.(*net.UnixConn).CloseRead(); err != nil {
		t.Fatal(err)
	}
	close(deaf)
	line := []byte(`{"id":2,"method":"m","params":"` + strings.Repeat("y", 10_000) + "\"}\n")
	for range 20_000 {
		if _, err := nc.Write(line); err != nil {
			break // the hub has hung up
		}
	}
	if _, err := rec.Gone(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	if n := handled.Load(); n > most+1 {
		t.Errorf("%d messages were handled of a client that may leave %d unanswered", n, most)
	}
}

// TestCauseOfDisconnect: who disconnects a client that reads nothing is told of by its own cause.
func TestCauseOfDisconnect(t *testing.T) {
	t.Parallel() // it takes as long as the client may read nothing, in which a busy machine has answered everything
	server, err := Listen("tcp://127.0.0.1:0", Options{Limits: Limits{WriteTimeout: 4 * time.Second, MaxPending: 64 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	rec := carriertest.NewRecorder(t, "hub")
	const messages = 12
	full := make(chan struct{})
	var answers []func(carrier.Reply)
	rec.Handle = func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		// They are answered together: the time to read them begins with the first answer.
		if answers = append(answers, respond); len(answers) == messages {
			for _, respond := range answers {
				respond(carrier.Done(strings.Repeat("x", 900_000)))
			}
			close(full)
		}
	}
	serveCarrier(t, server, rec)
	nc, err := net.Dial("tcp", strings.TrimPrefix(server.Addr(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	fmt.Fprintln(nc, `{"id":1,"method":"hello","params":{"protocol":1,"name":"x","window":64}}`)
	c, err := rec.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		fmt.Fprintf(nc, `{"id":%d,"method":"m"}`, i)
	}
	<-full
	server.Disconnect(c.ID, fmt.Errorf("the operator says so: %w", carrier.ErrClosed))
	cause, err := rec.Gone(t.Context(), c.ID)
	if err != nil || !errors.Is(cause, carrier.ErrClosed) || !strings.Contains(cause.Error(), "the operator") {
		t.Errorf("the cause is %v, %v", cause, err)
	}
}
