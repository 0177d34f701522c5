package methods

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
)

// A Machine is what others know the hub's machine by.
type Machine struct {
	Name  string       // as it calls itself
	Local bool         // others find it as NAME.local, by multicast DNS
	IPs   []netip.Addr // that it has
}

// ThisMachine returns that which the program runs on.
func ThisMachine() Machine {
	m := Machine{}
	m.Name, _ = os.Hostname()                        // without a name, it has addresses
	_, err := os.Stat("/run/avahi-daemon/socket")    // what tells others NAME.local on most systems
	m.Local = err == nil || runtime.GOOS == "darwin" // which always does
	addrs, _ := net.InterfaceAddrs()                 // without addresses, it has a name
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			m.IPs = append(m.IPs, prefix.Addr())
		}
	}
	return m
}

// Reach returns where others reach a hub over TLS that listens at addresses such as tcp://0.0.0.0:3000.
func (m Machine) Reach(addrs []string) (string, error) {
	for _, text := range addrs {
		hostPort, ok := strings.CutPrefix(text, "tcp://")
		if !ok {
			continue
		}
		host, port, err := net.SplitHostPort(hostPort)
		ip, ipErr := netip.ParseAddr(host)
		switch {
		case err != nil || host == "localhost" || ipErr == nil && ip.IsLoopback():
			continue
		case host == "" || ipErr == nil && ip.IsUnspecified():
			host = m.host()
		}
		if host != "" {
			return net.JoinHostPort(host, port), nil
		}
	}
	return "", errors.New("no other machine reaches this hub over TLS: let it listen at tcp://0.0.0.0:3000, with `tls: required`; or say with --address how it is reached")
}

// host returns what others call the machine; empty: nothing.
func (m Machine) host() string {
	plain := strings.Trim(strings.ToLower(m.Name), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && m.Name != ""
	switch {
	case plain && strings.Contains(m.Name, "."):
		return m.Name
	case plain && m.Local:
		return m.Name + ".local"
	}
	ips := slices.DeleteFunc(slices.Clone(m.IPs), func(a netip.Addr) bool { return !a.IsGlobalUnicast() })
	if len(ips) > 0 { // those of IPv4 are easier to type
		return slices.MinFunc(ips, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) }).String()
	}
	if plain {
		return m.Name
	}
	return ""
}
