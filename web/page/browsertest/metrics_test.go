package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestMetrics: what Prometheus's own parsers read stays as small as it is, while ten thousand clients come and go, each with a sender
// of its own.
func TestMetrics(t *testing.T) {
	const clients, together = 10_000, 50
	s := serve(t)
	read := func(accept string) (names map[string]int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url()+"metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		parser, err := textparse.New(text, answer.Header.Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
		if err != nil {
			t.Fatal(err)
		}
		names = make(map[string]int)
		for {
			entry, err := parser.Next()
			if errors.Is(err, io.EOF) {
				return names
			}
			if err != nil {
				t.Fatalf("as %s: %v\n%s", accept, err, text)
			}
			if entry == textparse.EntrySeries {
				var all labels.Labels
				parser.Labels(&all)
				names[all.Get("__name__")]++
				if strings.Contains(all.String(), "visitor") {
					t.Fatalf("a client is named: %s", all)
				}
			}
		}
	}
	const open = "application/openmetrics-text; version=1.0.0"
	before, plain := read(open), read("text/plain")
	if len(before) < 10 || len(before) != len(plain) {
		t.Errorf("%d families as OpenMetrics, and %d as text", len(before), len(plain))
	}
	for done := 0; done < clients; done += together {
		var all sync.WaitGroup
		for i := range together {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				router := hub.NewClientRouter(hub.ClientOptions{})
				served := make(chan struct{})
				go func() {
					defer close(served)
					_ = router.Serve(ctx, tcp.NewClient("tcp://"+s.addr, tcp.ClientOptions{Name: fmt.Sprint("visitor ", done+i)}))
				}()
				if _, err := router.AddRemoteSender(ctx, fmt.Sprint("visitor sender ", done+i), hub.SenderOptions{Events: []string{"n"}}); err != nil {
					t.Error(err)
				}
				cancel()
				<-served
			})
		}
		if all.Wait(); t.Failed() {
			return
		}
	}
	after := read(open)
	for name, n := range after {
		if n > before[name]+4 { // causes of refusals, kinds of ends
			t.Errorf("%s has %d series, and had %d", name, n, before[name])
		}
	}
}
