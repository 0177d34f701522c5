package guard

import (
	"context"
	"errors"
	"net"
	"strings"

	"sighub/access"
	"sighub/access/audit"
	"sighub/access/pairing"
	"sighub/internal/lockrank"
	"sighub/listen"
)

// Login returns what the listeners ask: nil if everybody may come in.
func (g *Guard) Login() listen.Login {
	if g == nil {
		return nil
	}
	return g.login
}

// login implements [listen.Login].
func (g *Guard) login(ctx context.Context, p listen.Peer, s listen.Secret) (identity string, err error) {
	peer := access.Peer{
		Addr: p.IP, Secure: p.Secure, Unix: p.Unix, UID: p.UID, Groups: p.Groups, Key: p.KeyHash, ByAddress: p.ByAddress,
	}
	if in := s.Pairing; in != nil {
		id, parseErr := pairing.ParseID(in.ID)
		if parseErr != nil {
			return "", &listen.LoginError{Public: "this is not the id of an invitation: copy the whole line", Cause: "malformed"}
		}
		identity, err = g.control.Pair(ctx, peer, id, in.Proof, p.OwnKey, in.Label)
	} else {
		identity, err = g.control.Login(ctx, peer, access.Secret{Token: s.Token, Name: s.Name, Password: s.Password})
	}
	if e, ok := errors.AsType[*access.LoginError](err); ok {
		return "", &listen.LoginError{Public: e.Public, Cause: e.Cause, Wait: e.Wait, Err: e.Err}
	}
	return identity, err
}

// errUnknown is why a device is not let in.
var errUnknown = errors.New("the hub lets in only devices that it knows")

// Device returns the identity of a device on a serial port, or an error that says why it is not let in. It never waits. Devices say who
// they are again and again: the audit has it when something else came of it.
func (g *Guard) Device(uid, port string) (identity string, err error) {
	if g == nil {
		return "", nil
	}
	identity = access.Device(uid)
	r := audit.Record{Event: audit.Login, Verdict: audit.Allowed, Who: identity, From: port, Cause: "device"}
	known := g.control.Policy().Known(identity)
	if !known {
		identity, err = "", errUnknown
		r.Verdict, r.Who, r.Cause, r.Detail = audit.Refused, "", "unknown", "device "+uid
	}
	if g.devices.news(uid+" "+port, known) {
		g.audit.Record(r)
	}
	return identity, err
}

// verdicts are what came of the logins of devices of late.
type verdicts struct {
	mu  lockrank.Mutex[lockrank.Leaf]
	let map[string]bool
}

// maxVerdicts is how many are remembered.
const maxVerdicts = 1024

// news reports whether this is another verdict than the last one.
func (v *verdicts) news(who string, let bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, ok := v.let[who]
	if ok && before == let {
		return false
	}
	if v.let == nil || len(v.let) >= maxVerdicts {
		v.let = make(map[string]bool)
	}
	v.let[who] = let
	return true
}

// Place returns an address for people without its scheme and port: where a client is, whichever of its connections it is.
func Place(addr string) string {
	scheme, rest, ok := strings.Cut(addr, "://")
	if !ok {
		return addr
	}
	switch scheme {
	case "unix", "ws+unix", "serial": // a path
	default:
		if host, _, err := net.SplitHostPort(rest); err == nil {
			return host
		}
	}
	return rest
}
