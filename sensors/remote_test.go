package sensors_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/sensors"
)

// farHub serves a hub at a Unix socket until stop is called, and tells heard what a listener in it hears.
func farHub(t *testing.T, addr string, heard chan<- string) (stop func()) {
	t.Helper()
	server, err := tcp.Listen(addr, tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	router := hub.NewServerRouter(hub.ServerOptions{})
	if _, err := router.AddListener("", "", func(ev hub.Event) { heard <- tell(ev) }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- router.Serve(ctx, server) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// tell words an event: what is in it, but not when.
func tell(ev hub.Event) string {
	var c hub.Connection
	switch {
	case ev.Name == hub.Connect && ev.Data.Decode(&c) == nil:
		return fmt.Sprint(ev.Sender, " ", ev.Name, " ", c.Units)
	case ev.Name == hub.Disconnect && ev.Data.Decode(&c) == nil:
		return fmt.Sprint(ev.Sender, " ", ev.Name, " ", c.Reason)
	case ev.Uncertainty == 0 || time.Since(ev.Time) > time.Minute:
		return fmt.Sprint("a reading without its time: ", ev)
	}
	return fmt.Sprint(ev.Sender, " ", ev.Name, " ", ev.Data)
}

// await waits until a line is heard; those before it are passed over.
func await(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	var before []string
	for {
		select {
		case line := <-heard:
			if line == want {
				return
			}
			before = append(before, line)
		case <-timeout:
			t.Fatalf("never heard %q, but %q", want, before)
		}
	}
}

// TestOnClientRouter: sensors are senders of a hub that is not there at first, and of the one that takes its place.
func TestOnClientRouter(t *testing.T) {
	addr := "unix://" + filepath.Join(t.TempDir(), "hub.sock")
	client := hub.NewClientRouter(hub.ClientOptions{})
	local := make(chan string, 1000)
	if _, err := client.AddListener("", "", func(ev hub.Event) { local <- tell(ev) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- client.Serve(ctx, tcp.NewClient(addr, tcp.ClientOptions{})) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	poller, err := sensors.NewPoller(sensors.OnClientRouter(client), []sensors.Source{{
		Sender: "room", Period: 5 * time.Millisecond,
		Open: func(context.Context) (sensors.Sensor, error) { return steady{}, nil },
	}}, sensors.PollerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	polling, stopPolling := context.WithCancel(t.Context())
	polled := make(chan error, 1)
	go func() { polled <- poller.Run(polling) }()

	heard := make(chan string, 10_000)
	stopHub := farHub(t, addr, heard)
	await(t, heard, "room #connect map[temp:Cel]")
	await(t, heard, "room temp 21.53")
	stopHub()

	heard = make(chan string, 10_000)
	stopHub = farHub(t, addr, heard)
	await(t, heard, "room #connect map[temp:Cel]")
	await(t, heard, "room temp 21.53")
	stopPolling()
	if err := <-polled; err != nil {
		t.Error(err)
	}
	await(t, heard, "room #disconnect removed")
	stopHub()
	select {
	case line := <-local:
		t.Errorf("heard in this process: %s", line)
	default:
	}
}

// TestNoHub: a Poller that waits for a hub which never comes ends at once when it is told to, and does not complain of that.
func TestNoHub(t *testing.T) {
	addr := "unix://" + filepath.Join(t.TempDir(), "hub.sock")
	tried := make(chan struct{}, 1)
	client := hub.NewClientRouter(hub.ClientOptions{})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- client.Serve(ctx, tcp.NewClient(addr, tcp.ClientOptions{})) }()
	var log strings.Builder
	poller, err := sensors.NewPoller(sensors.OnClientRouter(client), []sensors.Source{{
		Sender: "room",
		Open: func(context.Context) (sensors.Sensor, error) {
			tried <- struct{}{}
			return steady{}, nil
		},
	}}, sensors.PollerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- poller.Run(ctx) }()
	<-tried
	stop()
	for _, end := range []<-chan error{done, served} {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}
