package listen

import (
	"net"
	"net/netip"
	"strconv"
)

// ThisMachine is the place of all programs that connect over loopback: the address does not tell them apart.
const ThisMachine = "this machine"

// peerOf returns who is at the other end of a connection; own is the address of this end, for people to read.
func peerOf(nc net.Conn, own string) Peer {
	p := Peer{Addr: own, Place: ThisMachine, UID: -1}
	switch a := nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		p.Addr = "tcp://" + a.String()
		ip := a.AddrPort().Addr().Unmap().WithZone("")
		p.IP = ip
		switch {
		case ip.IsLoopback():
			p.Local = true
		case ip.Is6():
			p.Place = netip.PrefixFrom(ip, 64).Masked().String()
		default:
			p.Place = ip.String()
		}
	case *net.UnixAddr:
		p.Local, p.Unix = true, true
		if uid, groups, ok := credentials(nc); ok {
			p.UID, p.Groups = uid, groups
			p.Place = "user " + strconv.Itoa(uid)
		}
	default: // a pipe within the process
		p.Local = true
	}
	p.Secure = p.Local
	return p
}

// addrOf returns an address of this end, for people to read.
func addrOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.Network() + "://" + a.String()
}
