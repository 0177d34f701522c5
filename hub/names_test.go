package hub_test

import (
	"errors"
	"strings"
	"testing"

	"sighub/hub"
)

// TestNames: names and units are refused that could harm or deceive whoever reads them, and the error says why.
func TestNames(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	answer := func(name string) hub.SenderOptions {
		return hub.SenderOptions{Requests: map[string]hub.RequestHandler{name: nil}}
	}
	for _, test := range []struct {
		name string
		o    hub.SenderOptions
		want string
	}{
		{"a\nb", hub.SenderOptions{}, `sender "a\nb": U+000A is a control character: remove it`},
		{"\u202eabc", hub.SenderOptions{}, `sender "\u202eabc": U+202E`},
		{"\ufeffabc", hub.SenderOptions{}, "U+FEFF is invisible"},
		{"\u00a0", hub.SenderOptions{}, "U+00A0 is a space other than the ordinary one"},
		{" a", hub.SenderOptions{}, "begins or ends with a space"},
		{"K\xfcche", hub.SenderOptions{}, `sender "K\xfcche": byte 2, 0xfc, is not UTF-8`},
		{"", hub.SenderOptions{}, `sender "": it is empty`},
		{strings.Repeat("x", 1000), hub.SenderOptions{}, "it has 1000 bytes, more than 255"},
		{"s", hub.SenderOptions{Events: []string{"e\u2028"}}, `event "e\u2028": U+2028 ends a line: remove it, of sender s`},
		{"s", answer("\x1b[2J"), `request "\x1b[2J": U+001B`},
		{"s", hub.SenderOptions{Events: []string{"e"}, Units: map[string]string{"e": "\x1b[5mlx"}}, `unit "\x1b[5mlx": U+001B is a control character: remove it, of event e of sender s`},
	} {
		_, err := r.AddSender(test.name, test.o)
		if !errors.Is(err, hub.ErrName) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 250 {
			t.Errorf("%+q: %v, want %s", test.name, err, test.want)
		}
		if len(test.o.Events)+len(test.o.Requests) > 0 {
			continue
		}
		if _, err := r.AddListener(test.name, hub.Connect, func(hub.Event) {}); test.name != "" && !errors.Is(err, hub.ErrName) {
			t.Errorf("a listener to %+q: %v", test.name, err)
		}
	}
	for _, name := range []string{"a b", "a/b", "küche", "e\u0301", "🌡️", "日本語", "#chan", "*", ".", strings.Repeat("x", 255)} {
		if _, err := r.AddSender(name, hub.SenderOptions{Events: []string{"é"}, Units: map[string]string{"é": "°C"}}); err != nil {
			t.Error(err)
		}
	}
}
