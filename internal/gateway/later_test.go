package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/hub"
	"sighub/internal/config"
)

// disk makes a disk with a thermometer in sys.
func disk(t *testing.T, sys, number, serial string) {
	t.Helper()
	dir := filepath.Join(sys, "devices/disk"+number)
	for _, err := range []error{
		os.MkdirAll(dir+"/hwmon/hwmon"+number, 0o700), os.MkdirAll(sys+"/class/hwmon", 0o700),
		os.WriteFile(dir+"/serial", []byte(serial+"\n"), 0o600),
		os.WriteFile(dir+"/hwmon/hwmon"+number+"/name", []byte("nvme\n"), 0o600),
		os.WriteFile(dir+"/hwmon/hwmon"+number+"/temp1_input", []byte("3"+number+"000\n"), 0o600),
		os.Symlink("../..", dir+"/hwmon/hwmon"+number+"/device"),
		os.Symlink("../../devices/disk"+number+"/hwmon/hwmon"+number, sys+"/class/hwmon/hwmon"+number),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLater: a sensor that comes later is read, once, whatever the names become; what the configuration has remains its own.
func TestLater(t *testing.T) {
	sys := t.TempDir()
	disk(t, sys, "0", "A")
	cfg, err := config.Parse("test.yaml", []byte("sensors: [{kernel: nvme-c, sender: mine}, auto]"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		router := hub.NewRouter(hub.Options{})
		log := new(notes)
		var mu sync.Mutex
		var heard []string
		if _, err := router.AddListener("", "", func(ev hub.Event) {
			mu.Lock()
			defer mu.Unlock()
			if line := ev.Sender + " " + ev.Name; !strings.HasPrefix(ev.Name, "#dis") && !slices.Contains(heard, line) {
				heard = append(heard, line)
			} else if ev.Name == hub.Connect {
				heard = append(heard, line+" again")
			}
		}); err != nil {
			t.Fatal(err)
		}
		g, err := New(&cfg.Sensing, router, sys, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.During(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) }()
		time.Sleep(lookAgain / 2)
		disk(t, sys, "1", "B")
		disk(t, sys, "2", "C")
		time.Sleep(5 * lookAgain)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		slices.Sort(heard)
		want := []string{"mine #connect", "mine temp", "nvme #connect", "nvme temp", "nvme-b #connect", "nvme-b temp"}
		if !slices.Equal(heard, want) {
			t.Errorf("heard %q, not %q", heard, want)
		}
		if text := log.String(); strings.Count(text, "has come") != 1 || strings.Contains(text, "level=ERROR") {
			t.Errorf("the log is\n%s", text)
		}
	})
}
