package methods_test

import (
	"net/netip"
	"strings"
	"testing"

	"sighub/access/methods"
)

func TestReach(t *testing.T) {
	ips := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.168.1.7")}
	for _, test := range []struct {
		machine methods.Machine
		addrs   string
		want    string // empty: nowhere
	}{
		{methods.Machine{Name: "pi", Local: true, IPs: ips}, "unix:///run/sighub/hub.sock tcp://127.0.0.1:3000 tcp://0.0.0.0:3001", "pi.local:3001"},
		{methods.Machine{Name: "pi", IPs: ips}, "tcp://[::]:3000", "192.168.1.7:3000"},
		{methods.Machine{Name: "pi", IPs: ips[:3]}, "tcp://:3000", "[2001:db8::7]:3000"},
		{methods.Machine{Name: "pi", IPs: ips[:2]}, "tcp://:3000", "pi:3000"},
		{methods.Machine{Name: "hub.example.org", IPs: ips}, "tcp://:3000", "hub.example.org:3000"},
		{methods.Machine{Name: "a machine", Local: true, IPs: ips}, "tcp://:3000", "192.168.1.7:3000"},
		{methods.Machine{Name: "pi", Local: true}, "tcp://10.0.0.1:3000", "10.0.0.1:3000"},
		{methods.Machine{Name: "pi", Local: true}, "tcp://gateway.lan:3000", "gateway.lan:3000"},
		{methods.Machine{Name: "pi", Local: true}, "tcp://localhost:3000 tcp://[::1]:3000 unix:///hub nonsense tcp://nonsense", ""},
		{methods.Machine{}, "tcp://0.0.0.0:3000", ""},
	} {
		got, err := test.machine.Reach(strings.Fields(test.addrs))
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v at %s: %q, %v; want %q", test.machine, test.addrs, got, err, test.want)
		}
	}
	methods.ThisMachine() // whatever it is
}
