package tcp

import (
	"net"
	"net/netip"
)

// thisMachine is where all programs are that connect over loopback: the address does not tell them apart.
const thisMachine = "this machine"

// placeOf returns what may be one client with many connections: an IPv4 address, an IPv6 network of 64 bits, which is what
// one household or machine has, or a user of this machine. local reports the latter.
func placeOf(nc net.Conn) (at string, local bool) {
	switch a := nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		ip := a.AddrPort().Addr().Unmap().WithZone("")
		if ip.IsLoopback() {
			return thisMachine, true
		}
		if ip.Is6() {
			return netip.PrefixFrom(ip, 64).Masked().String(), false
		}
		return ip.String(), false
	default:
		if user := peerUser(nc); user != "" {
			return "user " + user, true
		}
		return thisMachine, true
	}
}
