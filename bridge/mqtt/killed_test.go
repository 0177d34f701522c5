package mqtt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	b, err := New(Options{Name: "up", Addr: os.Getenv(victimBroker), Journal: j, Retry: time.Second, Alive: time.Second})
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

// TestKilled: the hub and the broker are killed at random, or the broker stands still, again and again. A listener that the broker knows hears every event that the hub
// has on record, in order, and again only what has the same id.
func TestKilled(t *testing.T) {
	broker, dir := startBroker(t, "log_type information", "log_type subscribe"), t.TempDir()
	out, _ := knownListener(broker)
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
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range n {
		before := size()
		eventually(t, "events come", func() bool { return size() > before+int64(random.IntN(60_000)) })
		switch random.IntN(3) {
		case 0:
			broker.kill()
			broker.start()
		case 1:
			kill()
			start()
		default: // the broker stands still, for longer than the hub waits or not
			broker.freeze()
			time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			broker.thaw()
		}
	}
	kill()
	h := newHouse(t, dir)
	last := lastNumber(h.journal)
	b := h.bridge(Options{Addr: broker.addr})
	h.serve(b)
	eventually(t, "everything is acknowledged", func() bool { st := b.Status(); return st.Connected && st.Lag == 0 })
	h.stop()
	checkHeard(t, out, last+1)
}

// knownListener has a broker know a listener to all numbers, which is run by another program if that is given. It returns the file to which
// the listener writes until it is stopped, or the test ends.
func knownListener(m *mosquitto, by ...string) (file string, stop func()) {
	m.t.Helper()
	file = filepath.Join(m.t.TempDir(), "heard")
	stop = m.hear(file, by...)
	eventually(m.t, "the listener is known", func() bool {
		log, _ := os.ReadFile(filepath.Join(m.dir, "log"))
		return strings.Contains(string(log), "sub 1 sighub/light/lux") // it has subscribed: that it is connected is not enough
	})
	return file, stop
}

// hear starts the listener, which adds to a file.
func (m *mosquitto) hear(file string, by ...string) (stop func()) {
	t := m.t
	t.Helper()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, port, _ := strings.Cut(m.addr, ":")
	by = append(by, tool(t, "mosquitto_sub", "mosquitto-clients"), "-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-c", "-x", "86400", "-i", "sub",
		"-q", "1", "-t", "sighub/light/lux", "-F", "%P|%p")
	sub := exec.Command(by[0], by[1:]...) //nolint:noctx // it is killed
	sub.Stdout, sub.Stderr = out, os.Stderr
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = sub.Process.Kill()
		_ = sub.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// checkHeard waits until the last of n numbers is in a file of knownListener, and checks that all are there, in order, and again only with the same id.
func checkHeard(t *testing.T, file string, n int) {
	t.Helper()
	var list []string
	eventually(t, "the last one is heard", func() bool {
		data, err := os.ReadFile(file)
		list = strings.Split(strings.TrimSpace(string(data)), "\n")
		return err == nil && strings.HasSuffix(list[len(list)-1], "|"+strconv.Itoa(n-1))
	})
	checkNumbers(t, split(list, "|"), n)
	ids := make(map[string]string)
	for _, line := range list {
		props, number, _ := strings.Cut(line, "|")
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

// freeze has the broker stand still, with its connections open.
func (m *mosquitto) freeze() { m.signal("-STOP") }

func (m *mosquitto) thaw() { m.signal("-CONT") }

func (m *mosquitto) signal(name string) {
	m.t.Helper()
	if err := exec.Command("kill", name, strconv.Itoa(m.cmd.Process.Pid)).Run(); err != nil { //nolint:noctx // it ends at once
		m.t.Fatal(err)
	}
}
