package web

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"sighub/internal/safetext"
	"sighub/listen"
)

// hosts says from where requests may come.
type hosts struct {
	own   []string // of this machine
	given []string // of the configuration: pages from there may use the hub, too
	cross *http.CrossOriginProtection
}

func newHosts(given []string) hosts {
	h := hosts{own: []string{"localhost"}, cross: http.NewCrossOriginProtection()}
	for _, name := range given {
		h.given = append(h.given, canonical(name))
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		name = canonical(name)
		short, _, _ := strings.Cut(name, ".")
		h.own = append(h.own, name, short, short+".local")
	}
	return h
}

// canonical returns a name as it is compared.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// matches reports whether a name is in a list. One that begins with a dot stands for all that end with it.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(known string) bool {
		return known == name || strings.HasPrefix(known, ".") && strings.HasSuffix(name, known)
	})
}

// hostOf returns the name in host:port, without a port, and reports whether it is an IP address.
func hostOf(hostPort string) (name string, ip bool) {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return canonical(host), err == nil
}

// check returns what is wrong with where a request comes from: nil if nothing is.
func (h hosts) check(r *http.Request, peer listen.Peer) *refusal {
	if !h.knows(r.Host, peer) {
		return &refusal{
			http.StatusMisdirectedRequest, "host", "The hub is not called " + safetext.Short(r.Host, 64),
			"use an IP address, or add the name to http.hosts in the configuration of the hub",
		}
	}
	err := h.cross.Check(r)
	if err == nil && wantsSocket(r) && !sameOrigin(r) {
		err = errCross
	}
	if err != nil && !h.trusts(r.Header.Get("Origin")) {
		return &refusal{
			http.StatusForbidden, "origin", "A page from " + safetext.Short(r.Header.Get("Origin"), 64) + " asks",
			"open the page of the hub itself, or add the name to http.hosts in the configuration of the hub",
		}
	}
	return nil
}

var errCross = errors.New("web: the page is from another origin")

// knows reports whether the hub may be called by that name. Nobody makes a browser take one name for another on a Unix socket, and
// a program that says no name is not a browser.
func (h hosts) knows(hostPort string, peer listen.Peer) bool {
	name, ip := hostOf(hostPort)
	return ip || name == "" || peer.Unix || strings.HasSuffix(name, ".localhost") || matches(h.own, name) || matches(h.given, name)
}

// sameOrigin reports whether a page that asks is from the host that is asked. Programs say no origin.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// trusts reports whether pages of an origin may use the hub although they reach it under another name, as behind a proxy.
func (h hosts) trusts(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Hostname() != "" && matches(h.given, canonical(u.Hostname()))
}

// A refusal is why a request is not answered. It is told as RFC 9457 has it.
type refusal struct {
	status              int
	cause, text, remedy string
}

// Error implements error.
func (p *refusal) Error() string { return p.text + ": " + p.remedy }

func (p *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Connection", "close")
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sighub"`)
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // whoever does not read it does not want it
		"type": "about:blank", "title": http.StatusText(p.status), "status": p.status,
		"detail": p.text, "cause": p.cause, "remedy": p.remedy,
	})
}

// ExtendWrite gives the answer that is being written this much more time to be read.
func ExtendWrite(rc *http.ResponseController, d time.Duration) error {
	return rc.SetWriteDeadline(time.Now().Add(d))
}
