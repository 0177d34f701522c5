package serial

import (
	"strings"
	"testing"
	"time"
)

func TestOptionErrors(t *testing.T) {
	for _, o := range []Options{
		{Ports: []PortOptions{{}}},
		{Ports: []PortOptions{{Port: "a"}, {Port: "a"}}},
		{Ports: []PortOptions{{Port: "a", Baud: -1}}},
		{MaxFrame: 59}, {MaxFrame: 5000}, {Window: 9}, {Window: -1},
		{Ask: 2 * time.Second, Timeout: time.Second},
	} {
		if _, err := Listen(o); err == nil || !strings.HasPrefix(err.Error(), "serial: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
