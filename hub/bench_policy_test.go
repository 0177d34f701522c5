//go:build !race && !lockrank

package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/access"
	"sighub/carrier"
)

// thousandRules returns a policy with a thousand rules in ten roles, one of which is ann's.
func thousandRules(b *testing.B) AccessPolicy {
	var text strings.Builder
	text.WriteString("roles:\n")
	for role := range 10 {
		fmt.Fprintf(&text, "  role%d:\n    - listen: {sender: \"li*\", event: \"*\"}\n", role)
		for n := range 99 {
			fmt.Fprintf(&text, "    - listen: {sender: \"room%d-%02d*\", event: \"t*\"}\n", role, n)
		}
	}
	text.WriteString("identities: {ann: role7}\n")
	rules, err := access.Parse("access.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	policy, err := access.Compile(rules, []access.Member{{Name: "ann"}}, access.System{})
	if err != nil {
		b.Fatal(err)
	}
	return policy
}

// BenchmarkPolicy is an event for ten listeners, without a policy and with one of a thousand rules, in turns. It reports the median of each,
// and the median of how much more the second one took than the first one right before it: other work on the machine hits both.
func BenchmarkPolicy(b *testing.B) {
	const listeners, events = 10, 1000
	var tasks sync.WaitGroup
	var signals [2]*Signal
	for i, policy := range []AccessPolicy{nil, thousandRules(b)} {
		s := NewServerRouter(ServerOptions{})
		s.SetPolicy(policy)
		d := &carrierHandler{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*client)}
		for id := carrier.ClientID(1); id <= listeners; id++ {
			d.ClientConnected(carrier.Client{ID: id, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: new(countingSink), Identity: "ann"})
			if err := s.listen(&Listener{sender: "light", event: "lux", router: s.Router, client: d.client(id), policy: Block}, false); err != nil {
				b.Fatal(err)
			}
		}
		sender, err := s.AddSender("light", SenderOptions{Events: []string{"lux"}})
		if err != nil {
			b.Fatal(err)
		}
		if signals[i], err = sender.Signal("lux"); err != nil {
			b.Fatal(err)
		}
	}
	value := carrier.RawValue(carrier.CBOR, []byte{0x18, 0x40})
	var took [2][]float64
	var more []float64
	for turn := 0; b.Loop(); turn++ {
		var now [2]float64
		for n := range signals {
			i := (n + turn) % 2 // each is first as often
			began := time.Now()
			for range events {
				if err := signals[i].Trigger(context.Background(), &value); err != nil {
					b.Fatal(err)
				}
			}
			now[i] = float64(time.Since(began)) / events
			took[i] = append(took[i], now[i])
		}
		more = append(more, 100*(now[1]/now[0]-1))
	}
	b.ReportMetric(median(took[0]), "ns/none")
	b.ReportMetric(median(took[1]), "ns/rules")
	b.ReportMetric(median(more), "%more")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
