package remote

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// The schemes of ports that are elsewhere.
const (
	TCP     = "tcp"     // bytes as they are
	RFC2217 = "rfc2217" // Telnet, with settings
)

const mark = "://"

// Is reports whether a path is that of a port elsewhere, whether it is a right one or not.
func Is(path string) bool { return strings.Contains(path, mark) }

// Split takes a path apart. The error says what is wrong with it.
func Split(path string) (scheme, address string, err error) {
	scheme, address, _ = strings.Cut(path, mark)
	if scheme != TCP && scheme != RFC2217 {
		return "", "", fmt.Errorf("%s: a port elsewhere is tcp://HOST:PORT, which passes bytes as they are, or rfc2217://HOST:PORT", path)
	}
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		switch {
		case strings.Count(address, ":") > 1 && !strings.HasSuffix(address, "]"):
			return "", "", fmt.Errorf("%s: put an IPv6 address in brackets, as in %s://[fd00::5]:4001", path, scheme)
		default:
			return "", "", fmt.Errorf("%s: the port's number is missing: write %s://HOST:PORT, as in %s://10.0.0.5:4001", path, scheme, scheme)
		}
	}
	if host == "" {
		return "", "", fmt.Errorf("%s: the host is missing: write %s://HOST:%s", path, scheme, number)
	}
	if strings.ContainsAny(host, "/@? \t") {
		return "", "", fmt.Errorf("%s: %q is not a host: write %s://HOST:PORT, and nothing else", path, host, scheme)
	}
	if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%s: %q is not the number of a port: write one from 1 to 65535", path, number)
	}
	return scheme, address, nil
}

// Base returns a short name for a port: the last part of its path or, if it is elsewhere, its host and its number, without what no
// name should have.
func Base(path string) string {
	if !Is(path) {
		return filepath.Base(path)
	}
	_, address, _ := strings.Cut(path, mark)
	return strings.Map(func(r rune) rune {
		switch r {
		case '[', ']':
			return -1
		case ':', '%', '/':
			return '-'
		}
		return r
	}, address)
}
