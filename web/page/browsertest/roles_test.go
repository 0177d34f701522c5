package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// What has to do with a hub that is measured runs in processes of its own, as on other machines: this program, again, with a role. So
// none of them waits for another one's goroutines or garbage, and how much of a processor each takes is known.

// roleVariable is the variable of the environment that has the role.
const roleVariable = "SIGHUB_BROWSERTEST_ROLE"

// A role is what a process does until its standard input ends. Each line that it reads asks for a line with its figures since the line
// before.
type role struct {
	What   string // devices, lines, probe or pages
	Addr   string
	Dir    string        // where the ports of lines are
	Count  int           // of devices or pages
	Every  time.Duration // an event of each device, or of the probe
	Gather int           // ms, of pages
	Idle   time.Duration // for how long pages are open, before others take their place; 0: for ever
}

// figures are what a role tells.
type figures struct {
	Events      int // sent by devices, heard by pages
	Pieces      int // messages of the WebSocket
	Whole, Half lateness
}

// A lateness is how late the events of the probe were heard: after they were sent (whole), or after the hub had them (half).
type lateness struct{ Median, P99, Most time.Duration }

func (l lateness) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("half after %v, 99 %% after %v, the last after %v", round(l.Median), round(l.P99), round(l.Most))
}

// latenessOf takes the times of a list, which it sorts.
func latenessOf(list []time.Duration) lateness {
	if len(list) == 0 {
		return lateness{}
	}
	slices.Sort(list)
	return lateness{list[len(list)/2], list[(len(list)-1)*99/100], list[len(list)-1]}
}

// play plays the role of this process.
func play(text string) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var since func() figures
	var err error
	switch r.What {
	case "devices":
		since, err = r.devices(ctx, &running)
	case "lines":
		since, err = r.lines(ctx, &running)
	case "probe":
		since, err = r.probe(ctx, &running)
	case "pages":
		since = r.pages(ctx, &running)
	default:
		err = fmt.Errorf("there is no role %q", r.What)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		line, err := json.Marshal(since())
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", line)
	}
	return nil
}

// connect connects to the hub until ctx is done.
func (r role) connect(ctx context.Context, running *sync.WaitGroup, name string) *hub.ClientRouter {
	router := hub.NewClientRouter(hub.ClientOptions{})
	running.Go(func() { _ = router.Serve(ctx, tcp.NewClient("tcp://"+r.Addr, tcp.ClientOptions{Name: name})) })
	return router
}

// every calls a function again and again until ctx is done.
func every(ctx context.Context, d time.Duration, f func(n int)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(n)
		}
	}
}

func (r role) devices(ctx context.Context, running *sync.WaitGroup) (func() figures, error) {
	var sent atomic.Int64
	var begun sync.WaitGroup
	var failed error
	var once sync.Once
	for i := range r.Count {
		begun.Add(1)
		running.Go(func() {
			name := fmt.Sprintf("device %03d", i)
			s, err := r.connect(ctx, running, name).AddRemoteSender(ctx, name+".probe",
				hub.SenderOptions{Events: []string{"volt"}, Units: map[string]string{"volt": "V"}})
			var signal *hub.Signal
			if err == nil {
				signal, err = s.Signal("volt")
			}
			if err != nil {
				once.Do(func() { failed = err })
			}
			begun.Done()
			if err != nil || r.Every <= 0 {
				return
			}
			time.Sleep(r.Every * time.Duration(i) / time.Duration(r.Count)) // as devices, not all at the same moment
			every(ctx, r.Every, func(n int) {
				_ = signal.TriggerAsync(ctx, float64(n%1000)/10, func(err error) {
					if err == nil {
						sent.Add(1)
					}
				})
			})
		})
	}
	begun.Wait()
	return func() figures { return figures{Events: int(sent.Swap(0))} }, failed
}

// probe measures what another listener has of the hub: it sends events and hears them. Of every two, one has the time at which it was
// sent, and one the time at which the hub had it.
func (r role) probe(ctx context.Context, running *sync.WaitGroup) (func() figures, error) {
	var mu sync.Mutex
	late := map[string][]time.Duration{}
	if _, err := r.connect(ctx, running, "probe's listener").AddRemoteListener(ctx, "probe", "", func(ev hub.Event) {
		took := time.Since(ev.Time)
		mu.Lock()
		defer mu.Unlock()
		late[ev.Name] = append(late[ev.Name], took)
	}); err != nil {
		return nil, err
	}
	s, err := r.connect(ctx, running, "probe").AddRemoteSender(ctx, "probe", hub.SenderOptions{Events: []string{"whole", "half"}})
	if err != nil {
		return nil, err
	}
	whole, err1 := s.Signal("whole")
	half, err2 := s.Signal("half")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	running.Go(func() {
		every(ctx, r.Every, func(n int) {
			if n%2 == 0 {
				_ = whole.TriggerAsyncAt(ctx, n, time.Now(), 0, nil)
			} else {
				_ = half.TriggerAsync(ctx, n, nil)
			}
		})
	})
	return func() figures {
		mu.Lock()
		defer mu.Unlock()
		f := figures{Events: len(late["whole"]) + len(late["half"]), Whole: latenessOf(late["whole"]), Half: latenessOf(late["half"])}
		clear(late)
		return f
	}, nil
}

// pages are what open pages are to a hub, without the browser.
func (r role) pages(ctx context.Context, running *sync.WaitGroup) func() figures {
	var heard, pieces atomic.Int64
	for i := range r.Count {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				some, cancel := ctx, context.CancelFunc(func() {})
				if r.Idle > 0 {
					open := r.Idle
					if n == 0 {
						open = open * time.Duration(i+1) / time.Duration(r.Count) // not all at the same moment
					}
					some, cancel = context.WithTimeout(ctx, open)
				}
				_ = r.page(some, &heard, &pieces)
				cancel()
			}
		})
	}
	return func() figures { return figures{Events: int(heard.Swap(0)), Pieces: int(pieces.Swap(0))} }
}

// page is one page: it says what the page says, and answers what it hears when the page does.
func (r role) page(ctx context.Context, heard, pieces *atomic.Int64) error {
	ws, _, err := websocket.Dial(ctx, "ws://"+r.Addr+"/api/v1/socket", &websocket.DialOptions{Subprotocols: []string{"sighub.json"}})
	if err != nil {
		return err
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(-1)
	for _, line := range []string{
		`{"id":1,"method":"hello","params":{"protocol":1,"name":"page","window":256,"signals":4096}}`,
		`{"id":2,"method":"whoami"}`,
		`{"id":3,"method":"add_listener","params":{"sender":null,"event":null,"policy":"latest","last":true,"gather":` + strconv.Itoa(r.Gather) + `}}`,
		`{"id":4,"method":"list_senders","params":{"list_events":true}}`,
	} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(line+"\n")); err != nil {
			return err
		}
	}
	const soon = 10 * time.Millisecond
	var unanswered atomic.Int64
	answer := time.AfterFunc(time.Hour, func() {
		_ = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, "[%d]\n", unanswered.Swap(0)))
	})
	defer answer.Stop()
	for {
		_, text, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		n := int64(strings.Count("\n"+string(text), "\n[")) // of the stream
		heard.Add(n)
		pieces.Add(1)
		if n > 0 && unanswered.Add(n) == n {
			answer.Reset(soon)
		}
	}
}

// An actor is a process that plays a role.
type actor struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// act starts a process with a role, until the test ends or stop is called. It is there when everything of it is connected. With idle, it
// runs only while nothing else wants to.
func act(t *testing.T, r role, idle bool) *actor {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{os.Args[0]}
	if idle {
		args = append(idleCommand(t), args...)
	}
	a := &actor{t: t, cmd: exec.Command(args[0], args[1:]...)}
	a.cmd.Env = append(os.Environ(), roleVariable+"="+string(text))
	a.cmd.Stderr = os.Stderr
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.out = bufio.NewScanner(out)
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.stop)
	if !a.out.Scan() {
		t.Fatalf("%s: it does not begin", r.What)
	}
	return a
}

// idleCommand is what runs a command only while nothing else wants to run.
func idleCommand(t *testing.T) []string {
	t.Helper()
	chrt, err := exec.LookPath("chrt")
	if err != nil {
		t.Fatal("there is no chrt: install util-linux")
	}
	return []string{chrt, "--idle", "0"}
}

// since returns the figures since the last call.
func (a *actor) since() (f figures) {
	a.t.Helper()
	if _, err := io.WriteString(a.in, "\n"); err != nil {
		a.t.Fatal(err)
	}
	if !a.out.Scan() {
		a.t.Fatal("a process that was to be asked has gone")
	}
	if err := json.Unmarshal(a.out.Bytes(), &f); err != nil {
		a.t.Fatal(err)
	}
	return f
}

func (a *actor) stop() {
	if a.cmd.ProcessState == nil {
		_ = a.in.Close()
		_ = a.cmd.Wait()
	}
}
