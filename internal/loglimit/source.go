package loglimit

import (
	"log/slog"
	"net"
	"slices"
	"strings"
)

// sourceKeys are the attributes that say whom a record is about, the most telling first.
func sourceKeys() []string {
	return []string{"client", "port", "device", "addr", "address", "sensor", "pin", "sender", "bus", "class", "path"}
}

// A source is whom a record is about.
type source struct {
	name    string
	network bool // it is elsewhere: there may be any number of such sources
	rank    int  // of its attribute among sourceKeys: the lower, the more telling
}

// with returns the source, given one more attribute.
func (s source) with(a slog.Attr) source {
	rank := slices.Index(sourceKeys(), a.Key)
	if rank < 0 || rank >= s.rank {
		return s
	}
	name, network := place(a.Value.Resolve().String())
	return source{name: name, network: network, rank: rank}
}

// unknown is the source of a record whose attributes do not tell.
var unknown = source{rank: len(sourceKeys())}

// place returns where somebody is of whom a text tells: "camera (tcp://10.0.0.1:4711)" is at tcp://10.0.0.1. Strangers choose
// their names and TCP ports, which differ each time.
func place(text string) (where string, network bool) {
	if i := strings.LastIndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") {
		text = text[i+1 : len(text)-1]
	}
	scheme, rest, _ := strings.Cut(text, "://")
	switch scheme {
	case "tcp", "tls", "ws", "wss", "http", "https", "mqtt", "mqtts":
		if host, _, err := net.SplitHostPort(rest); err == nil {
			rest = host
		}
		return "tcp://" + short(subnet(rest)), true // it is one, whatever it speaks
	case "ws+unix", "mqtt+unix":
		text = "unix://" + rest
	}
	return short(text), strings.HasPrefix(text, "unix://")
}

// subnet returns what belongs to one who has this address: of an IPv6 address, each may choose 64 bits.
func subnet(host string) string {
	number, _, _ := strings.Cut(host, "%")
	ip := net.ParseIP(number)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String() + "/64"
}

// short keeps what is remembered small.
func short(text string) string { return strings.Clone(text[:min(len(text), 128)]) }
