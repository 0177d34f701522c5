package mqtt

import (
	"context"
	"testing"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
)

func openFeed(t *testing.T, h *house) *bridge.Feed {
	t.Helper()
	f, err := bridge.Open(bridge.Options{Hub: h.hub, Journal: h.journal, Cursor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func readPositions(t *testing.T, f *bridge.Feed, n int) (list []hub.Position) {
	t.Helper()
	for len(list) < n {
		batch := make([]bridge.Event, n-len(list))
		k, err := f.Next(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range batch[:k] {
			list = append(list, ev.Position)
		}
	}
	return list
}

// answering answers each request with what it was asked.
func answering(asked chan string) hub.RequestHandler {
	return func(_ context.Context, _ string, params carrier.Value) (any, error) {
		select {
		case asked <- params.String():
		default:
		}
		return carrier.Object{{Key: "was", Value: params.Clone()}}, nil
	}
}
