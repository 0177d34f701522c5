package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/host/v3/sysfs"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/journal"
	"sighub/listen"
	"sighub/listen/keys"
	"sighub/sensors"
	"sighub/sensors/drivers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSnippets: the Go code of the pages is code of this file, which compiles.
func TestSnippets(t *testing.T) {
	file, err := os.ReadFile("library_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range []string{"library.md", "journal.md", "../README.md"} {
		for _, block := range blocks(t, page, "go") {
			found++
			indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(block, "\n"), "\n", "\n\t") + "\n"
			if indented = strings.ReplaceAll(indented, "\n\t\n", "\n\n"); !strings.Contains(string(file), indented) {
				t.Errorf("%s: this is not in library_test.go:\n%s", page, block)
			}
		}
	}
	if found < 6 {
		t.Errorf("%d snippets", found)
	}
}

// TestAnotherModule does what the page says, line by line, to use this module in another one.
func TestAnotherModule(t *testing.T) {
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(repository, filepath.Join(dir, "sighub")); err != nil {
		t.Fatal(err)
	}
	main := "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\n\t\"sighub/hub\"\n)\n\nfunc main() {\n" +
		"\tif err := run(context.Background()); err != nil {\n\t\tpanic(err)\n\t}\n}\n\nfunc run(ctx context.Context) error {\n" +
		blocks(t, "library.md", "go")[0] + "}\n"
	commands := blocks(t, "library.md", "sh")
	script := commands[0] + "cat >main.go <<'END'\n" + main + "END\n" + commands[1]
	shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", script)
	shell.Dir = dir
	// Without the network: everything is in the module cache, and this repository's go.sum has verified it.
	shell.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off")
	out, err := shell.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "light lux 512\n") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func Example_oneProcess() {
	if err := oneProcess(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: light lux 512
}

func oneProcess(ctx context.Context) error {
	router := hub.NewRouter(hub.Options{})
	_, err := router.AddListener("light", "lux", func(ev hub.Event) { fmt.Println(ev.Sender, ev.Name, ev.Data) })
	if err != nil {
		return err
	}
	light, err := router.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		return err
	}
	lux, err := light.Signal("lux")
	if err != nil {
		return err
	}
	return lux.Trigger(ctx, 512) // prints: light lux 512
}

func Example_requests() {
	if err := requests(context.Background(), hub.NewRouter(hub.Options{})); err != nil {
		fmt.Println(err)
	}
	// Output: true <nil>
}

func requests(ctx context.Context, router *hub.Router) error {
	pump, err := router.AddSender("pump", hub.SenderOptions{Requests: map[string]hub.RequestHandler{
		"set": func(_ context.Context, _ string, params carrier.Value) (any, error) {
			var on bool
			if err := params.Decode(&on); err != nil {
				return nil, err
			}
			return on, nil
		},
	}})
	if err != nil {
		return err
	}
	defer pump.Remove()
	answer, err := router.Request(ctx, "pump", "set", true)
	fmt.Println(answer, err) // prints: true <nil>
	return nil
}

// The following need the port 3000 or a sensor: they are compiled, and not run.
var _ = []any{aHub, aSecureHub, aHubThatAsks, aClient, aSensor}

func aHub(ctx context.Context) error {
	server, err := tcp.Listen("tcp://127.0.0.1:3000", tcp.Options{})
	if err != nil {
		return err
	}
	router := hub.NewServerRouter(hub.ServerOptions{})
	return router.Serve(ctx, server) // until ctx is done
}

func aSecureHub(ctx context.Context, logger *slog.Logger) error {
	certificate, err := keys.Own("/var/lib/myhub/tls", logger) // made at the first start, and renewed
	if err != nil {
		return err
	}
	below, err := listen.Open(listen.Options{
		Addresses:   []listen.Address{{At: "tcp://0.0.0.0:3000", TLS: listen.Required}, {At: "unix:///run/myhub.sock"}},
		Certificate: certificate,
	})
	if err != nil {
		return err
	}
	fmt.Println("pin:", certificate.Pin().Short())
	return hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, tcp.On(below, tcp.Options{}))
}

func aHubThatAsks(ctx context.Context) error {
	login := func(ctx context.Context, p listen.Peer, s listen.Secret) (identity string, err error) {
		if p.Unix && p.UID == os.Getuid() {
			return "me", nil
		}
		return "", &listen.LoginError{Public: "connect to the Unix socket, as the user of the hub", Cause: "unknown"}
	}
	server, err := tcp.Listen("unix:///run/myhub.sock", tcp.Options{Login: login, SocketMode: 0o666})
	if err != nil {
		return err
	}
	return hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, server)
}

func aClient(ctx context.Context) error {
	client := hub.NewClientRouter(hub.ClientOptions{})
	go func() { _ = client.Serve(ctx, tcp.NewClient("tcp://127.0.0.1:3000", tcp.ClientOptions{Name: "porch"})) }()

	_, err := client.AddRemoteListener(ctx, "light", "lux", func(ev hub.Event) {
		fmt.Println(ev.Sender, ev.Name, ev.Data)
	})
	if err != nil {
		return err
	}
	light, err := client.AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		return err
	}
	lux, err := light.Signal("lux")
	if err != nil {
		return err
	}
	return lux.Trigger(ctx, 512) // returns when the hub has acknowledged it; TriggerAsync does not wait
}

func aSensor(ctx context.Context, client *hub.ClientRouter) error {
	bus, err := sysfs.NewI2C(1)
	if err != nil {
		return err
	}
	defer bus.Close()
	driver, err := drivers.Find("bh1750")
	if err != nil {
		return err
	}
	poller, err := sensors.NewPoller(sensors.OnClientRouter(client), []sensors.Source{{
		Sender: "light",
		Bus:    bus.String(),
		Open: func(ctx context.Context) (sensors.Sensor, error) {
			return driver.OpenI2C(ctx, bus, 0x23, drivers.Options{})
		},
	}}, sensors.PollerOptions{})
	if err != nil {
		return err
	}
	return poller.Run(ctx) // until ctx is done
}

func cursor(ctx context.Context, client *hub.ClientRouter) error {
	_, err := client.AddRemoteListenerWith(ctx, "light", "lux", hub.ListenerOptions{Cursor: "shed", From: "start"}, func(ev hub.Event) {
		fmt.Println(ev.Position, ev.Data)
	})
	return err
}

func once(ctx context.Context, cancel func(), client *hub.ClientRouter, load func() (hub.Position, error),
	store func(hub.Position, carrier.Value) error) error {
	at, err := load() // the position that was stored last
	if err != nil {
		return err
	}
	o := hub.ListenerOptions{From: "start", After: at}
	_, err = client.AddRemoteListenerWith(ctx, "light", "lux", o, func(ev hub.Event) {
		if err := store(ev.Position, ev.Data); err != nil { // both or nothing
			cancel() // ends the client, so nothing later is heard
		}
	})
	return err
}

func sums(ctx context.Context, client *hub.ClientRouter) error {
	for b, err := range client.Buckets(ctx, hub.HistoryQuery{Sender: "light", Event: "lux", From: "7d", Every: time.Hour}) {
		if err != nil {
			return err
		}
		fmt.Println(b.Time, b.Min, b.Max, b.Mean)
	}
	return nil
}

// TestThePast runs what the page shows, in its order, on a hub with a journal.
func TestThePast(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tcp.Listen("unix://"+t.TempDir()+"/hub", tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{Journal: j}).Serve(ctx, server) })
	client := hub.NewClientRouter(hub.ClientOptions{})
	running.Go(func() { _ = client.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{})) })
	light, err := client.AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	lux, err := light.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lux.Trigger(ctx, 512), cursor(ctx, client), sums(ctx, client)); err != nil {
		t.Fatal(err)
	}
	stored := make(chan hub.Position)
	load := func() (hub.Position, error) { return hub.Position{}, nil }
	store := func(at hub.Position, _ carrier.Value) error {
		stored <- at
		return context.Canceled // the disk is full
	}
	if err := once(ctx, cancel, client, load, store); err != nil {
		t.Fatal(err)
	}
	if at := <-stored; at.IsZero() {
		t.Error("an event from the journal has no position")
	}
	<-ctx.Done()
}
