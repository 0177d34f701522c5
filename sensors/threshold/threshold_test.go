package threshold_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sighub/hub"
	"sighub/sensors/threshold"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	_, _ = router.AddListener("", "#dark", func(ev hub.Event) { fmt.Println(ev.Sender, ev.Name, ev.Data) })
	dark, err := threshold.Watch(router, []threshold.Threshold{
		{Sender: "light", Event: "lux", Limit: 10, Until: 15, Report: "#dark"},
	}, threshold.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dark.Close()
	light, _ := router.AddSender("light", hub.SenderOptions{Events: []string{"lux"}})
	lux, _ := light.Signal("lux")
	for _, value := range []float64{120, 11, 9, 14, 15, 16} {
		_ = lux.Trigger(context.Background(), value)
	}
	// Output:
	// light.dark #dark false
	// light.dark #dark true
	// light.dark #dark false
}

// hear writes down what a sender's listeners are told.
func hear(t *testing.T, r *hub.Router, sender string) *[]string {
	t.Helper()
	var heard []string
	if _, err := r.AddListener(sender, "", func(ev hub.Event) {
		text := ev.Name
		if ev.Name == hub.Connect || ev.Name == hub.Disconnect {
			var c hub.Connection
			if err := ev.Data.Decode(&c); err != nil {
				t.Error(err)
			}
			text += " " + c.Reason
		} else {
			text += fmt.Sprintf(" %s at %d give or take %s", ev.Data, ev.Time.Unix(), ev.Uncertainty)
		}
		heard = append(heard, strings.TrimSpace(text))
	}); err != nil {
		t.Fatal(err)
	}
	return &heard
}

// TestLife: a threshold comes with the first reading, has the times of readings, and goes with its sender, whose reason it
// has; data that is not a number is logged once and does no harm.
func TestLife(t *testing.T) {
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	var log bytes.Buffer
	w, err := threshold.Watch(router, []threshold.Threshold{
		{Sender: "oven", Event: "temp", Above: true, Limit: 200, Until: 190, Report: "hot", As: "warning"},
	}, threshold.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	heard := hear(t, router, "warning")
	at := int64(0)
	begin := func() (*hub.Sender, func(any)) {
		oven, err := router.AddSender("oven", hub.SenderOptions{Events: []string{"temp", "door"}})
		if err != nil {
			t.Fatal(err)
		}
		temp, err := oven.Signal("temp")
		if err != nil {
			t.Fatal(err)
		}
		return oven, func(v any) {
			at++
			if err := temp.TriggerAt(t.Context(), v, time.Unix(at, 0), time.Millisecond); err != nil {
				t.Error(err)
			}
		}
	}
	oven, report := begin()
	for _, v := range []any{nil, "warm", 20, 200, 201.5, 195, 190, 189, true} {
		report(v)
	}
	oven.RemoveBecause("unplugged")
	oven, report = begin()
	report(250)
	w.Close()
	report(10)
	oven.Remove()
	want := []string{
		"#connect", "hot false at 3 give or take 1ms", "hot true at 5 give or take 1ms", "hot false at 8 give or take 1ms",
		"#disconnect unplugged",
		"#connect", "hot true at 10 give or take 1ms", "#disconnect removed",
	}
	if !slices.Equal(*heard, want) {
		t.Errorf("heard\n%q\nwant\n%q", *heard, want)
	}
	if n := strings.Count(log.String(), "is not a number"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &log)
	}
}

// TestNameTaken: a sender that is there already is not harmed; once it has gone, the next reading brings the threshold.
func TestNameTaken(t *testing.T) {
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	var log bytes.Buffer
	w, err := threshold.Watch(router, []threshold.Threshold{{Sender: "a", Event: "x", Report: "#low"}},
		threshold.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	other, err := router.AddSender("a.low", hub.SenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := router.AddSender("a", hub.SenderOptions{Events: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := a.Signal("x")
	heard := hear(t, router, "a.low")
	for range 2 {
		if err := x.Trigger(t.Context(), -1); err != nil {
			t.Error(err)
		}
	}
	other.Remove()
	if err := x.TriggerAt(t.Context(), -1, time.Unix(7, 0), 0); err != nil {
		t.Error(err)
	}
	if want := []string{"#disconnect removed", "#connect", "#low true at 7 give or take 0s"}; !slices.Equal(*heard, want) {
		t.Errorf("heard %q, want %q", *heard, want)
	}
	if n := strings.Count(log.String(), "does not accept a threshold's sender"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &log)
	}
}

// TestHysteresis: whatever is read, it changes only beyond the limit that counts, and always does then.
func TestHysteresis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		above := rapid.Bool().Draw(t, "above")
		limit, until := 10.0, 15.0
		if above {
			limit, until = 15, 10
		}
		router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
		var state *bool
		if _, err := router.AddListener("", "#it", func(ev hub.Event) {
			var b bool
			if err := ev.Data.Decode(&b); err != nil || state != nil && b == *state {
				t.Fatalf("%s after the same, %v", ev.Data, err)
			}
			state = &b
		}); err != nil {
			t.Fatal(err)
		}
		w, err := threshold.Watch(router, []threshold.Threshold{
			{Sender: "s", Event: "v", Above: above, Limit: limit, Until: until, Report: "#it"}}, threshold.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		s, _ := router.AddSender("s", hub.SenderOptions{Events: []string{"v"}})
		v, _ := s.Signal("v")
		before := false
		for _, value := range rapid.SliceOf(rapid.IntRange(5, 20)).Draw(t, "values") {
			_ = v.Trigger(context.Background(), value)
			var want bool
			switch x := float64(value); {
			case !above && x < 10, above && x > 15:
				want = true
			case !above && x > 15, above && x < 10:
				want = false
			default:
				want = before
			}
			if state == nil || *state != want {
				t.Fatalf("after %d: %v, want %v", value, state, want)
			}
			before = want
		}
	})
}

func TestRefused(t *testing.T) {
	good := threshold.Threshold{Sender: "light", Event: "lux", Limit: 10, Until: 15, Report: "#dark"}
	for want, change := range map[string]func(*threshold.Threshold){
		"the reading is missing":         func(t *threshold.Threshold) { t.Event = "" },
		"the event to report is missing": func(t *threshold.Threshold) { t.Report = "" },
		"reserved for the hub":           func(t *threshold.Threshold) { t.Report = hub.Gap },
		"must be finite numbers":         func(t *threshold.Threshold) { t.Until = math.NaN() },
		"until must not be smaller":      func(t *threshold.Threshold) { t.Until = 9 },
		"until must not be larger":       func(t *threshold.Threshold) { t.Above = true },
		"cannot report the event":        func(t *threshold.Threshold) { t.As = "light" },
		"name":                           func(t *threshold.Threshold) { t.Sender = "\x00" },
	} {
		bad := good
		change(&bad)
		w, err := threshold.Watch(hub.NewRouter(hub.Options{}), []threshold.Threshold{good, bad}, threshold.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || w != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	if _, err := threshold.Watch(router, []threshold.Threshold{good, good}, threshold.Options{}); err == nil {
		t.Error("two of the same name")
	}
	if senders := router.Senders(); len(senders) != 0 {
		t.Errorf("listeners are left: %+v", senders)
	}
}
