package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestOwnMethods: the program around a hub answers calls of its own; it can neither take a built-in one's place, nor does
// one that fails harm the client.
func TestOwnMethods(t *testing.T) {
	w := serve(t, hub.ServerOptions{Methods: map[string]hub.Method{
		"double": func(_ context.Context, params carrier.Value) (any, error) {
			var n int
			if err := params.Decode(&n); err != nil {
				return nil, err
			}
			return map[string]int{"double": 2 * n}, nil
		},
		"get_version": func(context.Context, carrier.Value) (any, error) { return nil, errors.New("not asked") },
	}})
	r, _, _ := w.client(t, "client", hub.ClientOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v, err := r.Call(ctx, "double", 21)
	var got struct{ Double int }
	if err != nil || v.Decode(&got) != nil || got.Double != 42 {
		t.Error(v, err)
	}
	if _, err := r.Call(ctx, "double", "x"); err == nil {
		t.Error("no error")
	}
	if _, err := r.Call(ctx, "nothing", nil); err == nil || !strings.Contains(err.Error(), "no such method") {
		t.Error(err)
	}
	if v, err := r.Call(ctx, "get_version", nil); err != nil || v.IsNull() {
		t.Error(v, err)
	}
}
