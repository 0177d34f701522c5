package device

import (
	"strings"
	"testing"

	"sighub/carrier/serial/internal/wire"
)

func TestDeviceOptionErrors(t *testing.T) {
	for _, o := range []Options{
		{UID: make([]byte, 13)},
		{Name: "a name that is much too long", Firmware: "1.2.3"},
		{Senders: []Sender{{Name: "a"}, {Name: "a"}}},
		{Senders: []Sender{{}}},
		{Senders: []Sender{{Name: "a\x02b"}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: ""}}}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: "e", Unit: "\n"}}}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: "e", Exponent: 19}}}}},
		{Senders: []Sender{{Name: "a", Requests: []string{"\xff"}}}},
		{Senders: []Sender{{Name: strings.Repeat("a", wire.MaxDictionary)}}},
		{TicksPerSecond: 1e7}, {Ring: -1}, {Window: 10}, {MaxFrame: 20},
	} {
		if _, err := New(nil, o); err == nil || !strings.HasPrefix(err.Error(), "device: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
