package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sighub/hub"
	"sighub/journal"
)

// The environment of a victim: the folder of its journal, and the broker.
const (
	victimFolder = "SIGHUB_MQTT_VICTIM"
	victimBroker = "SIGHUB_MQTT_VICTIM_BROKER"
)

// victim is a hub that reports numbers, each one more than the last one on record, until it is killed.
func victim(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	j, err := journal.Open(dir, journal.Options{})
	fail(err)
	next := lastNumber(j) + 1
	router := hub.NewServerRouter(hub.ServerOptions{Journal: j})
	b, err := New(Options{Name: "up", Addr: os.Getenv(victimBroker), Journal: j, Retry: time.Second})
	fail(err)
	fail(b.Attach(router))
	go func() { fail(router.Serve(context.Background(), b)) }()
	s, err := router.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
	fail(err)
	g, err := s.Signal("lux")
	fail(err)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		for range 4 {
			fail(g.Trigger(context.Background(), next))
			next++
		}
	}
}

// lastNumber returns the last number on record, or -1.
func lastNumber(j *journal.Journal) int {
	last := -1
	_ = j.Last(func(t journal.Topic) bool { return t.Event == "lux" }, func(e *journal.Entry) error {
		ev := hub.EventOf(e, time.Time{}, time.Time{})
		return ev.Data.Decode(&last)
	})
	return last
}

// kills is how often the hub or the broker is killed. SIGHUB_KILLS replaces it.
const kills = 16

// TestKilled: the hub and the broker are killed at random, again and again. A listener that the broker knows hears every event that the hub
// has on record, in order, and again only what has the same id.
func TestKilled(t *testing.T) {
	broker, dir := startBroker(t, "log_type information", "log_type subscribe"), t.TempDir()
	out, err := os.Create(filepath.Join(t.TempDir(), "heard"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, port, _ := strings.Cut(broker.addr, ":")
	sub := exec.Command(tool(t, "mosquitto_sub", "mosquitto-clients"), "-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-c", "-x", "86400", "-i", "sub",
		"-q", "1", "-t", "sighub/light/lux", "-F", "%P|%p") //nolint:noctx // it is killed
	sub.Stdout, sub.Stderr = out, os.Stderr
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sub.Process.Kill()
		_ = sub.Wait()
	}()
	eventually(t, "the listener is known", func() bool {
		log, _ := os.ReadFile(filepath.Join(broker.dir, "log"))
		return strings.Contains(string(log), "sub 1 sighub/light/lux") // it has subscribed: that it is connected is not enough
	})
	broker.stop() // so that the broker has the listener on disk
	broker.start()
	var victim *exec.Cmd
	kill := func() {
		if victim != nil {
			_ = victim.Process.Kill()
			_ = victim.Wait()
		}
	}
	defer kill()
	start := func() {
		victim = exec.Command(os.Args[0]) //nolint:noctx // it is killed
		victim.Env = append(os.Environ(), victimFolder+"="+dir, victimBroker+"="+broker.addr)
		victim.Stderr = os.Stderr
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
	}
	start()
	n := kills
	if text := os.Getenv("SIGHUB_KILLS"); text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := out.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range n {
		before := size()
		eventually(t, "events come", func() bool { return size() > before+int64(random.IntN(60_000)) })
		if random.IntN(2) == 0 {
			broker.kill()
			broker.start()
		} else {
			kill()
			start()
		}
	}
	kill()
	h := newHouse(t, dir)
	last := lastNumber(h.journal)
	b := h.bridge(Options{Addr: broker.addr})
	h.serve(b)
	eventually(t, "everything is acknowledged", func() bool { st := b.Status(); return st.Connected && st.Lag == 0 })
	var list []string
	eventually(t, "the last one is heard", func() bool {
		data, err := os.ReadFile(out.Name())
		list = strings.Split(strings.TrimSpace(string(data)), "\n")
		return err == nil && strings.HasSuffix(list[len(list)-1], "|"+strconv.Itoa(last))
	})
	h.stop()
	checkNumbers(t, split(list, "|"), last+1)
	ids := make(map[string]string)
	lines := bufio.NewScanner(strings.NewReader(strings.Join(list, "\n")))
	for lines.Scan() {
		props, number, _ := strings.Cut(lines.Text(), "|")
		var id string
		for p := range strings.FieldsSeq(props) {
			if v, is := strings.CutPrefix(p, "id:"); is {
				id = v
			}
		}
		if had, known := ids[number]; known && had != id || id == "" {
			t.Fatalf("event %s has the ids %q and %q", number, had, id)
		}
		ids[number] = id
	}
}

func split(list []string, separator string) (numbers []string) {
	for _, s := range list {
		_, n, _ := strings.Cut(s, separator)
		numbers = append(numbers, " "+n)
	}
	return numbers
}
