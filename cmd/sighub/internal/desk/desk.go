// Package desk gives a hub that runs the methods by which its owner sees and changes who may do what.
package desk

import (
	"context"
	"strings"

	"sighub/access"
	"sighub/access/methods"
	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/internal/guard"
	"sighub/listen"
	"sighub/listen/keys"
)

// A Desk is where the owner of a hub that runs sees and changes who may do what.
type Desk struct {
	Guard       *guard.Guard      // nil: the hub has no rules
	Certificate *keys.Certificate // nil: TLS is not spoken
	Carriers    []carrier.Carrier // that the hub serves
	Router      *hub.ServerRouter // to be set before anybody is served
}

// Apply adds the methods to a hub's options.
func (d *Desk) Apply(o *hub.ServerOptions) {
	for name, m := range methods.New(methods.Options{
		Control: d.Guard.Control(), Caller: caller, HubKey: d.hubKey, Address: d.address,
		Expel: d.expel, Ended: d.ended,
	}) {
		o.Methods[name], o.Needs[name] = m.Call, m.Needs
	}
}

// expel disconnects the clients of an identity, and who asks as it over HTTP.
func (d *Desk) expel(identity string) {
	for _, c := range d.Carriers {
		if c, ok := c.(interface{ Expel(identity string) }); ok {
			c.Expel(identity)
		}
	}
	d.Router.Expel(identity)
}

// ended disconnects those who are there by a session that has ended, and has who asks as its identity over HTTP prove that again.
func (d *Desk) ended(identity, secret string) {
	for _, c := range d.Carriers {
		if c, ok := c.(interface{ Doubt(identity string) }); ok {
			c.Doubt(identity)
		}
	}
	d.Router.EndSession(listen.Secret{Token: secret}.Session())
}

// caller returns who calls a method, for the audit.
func caller(ctx context.Context) access.Actor {
	info, identity, _ := hub.Caller(ctx)
	if strings.HasPrefix(info.Addr, "unix:") {
		return access.Actor{Who: identity, From: access.Describe(identity)} // the uid, as for logins
	}
	return access.Actor{Who: identity, From: guard.Place(info.Addr)}
}

func (d *Desk) hubKey() (hash [32]byte) {
	if d.Certificate != nil {
		hash = d.Certificate.Hash()
	}
	return hash
}

// address returns where others reach the hub.
func (d *Desk) address() (string, error) {
	var addrs []string
	for _, c := range d.Carriers {
		if l, ok := c.(address.Listener); ok {
			addrs = append(addrs, l.Addrs()...)
		}
	}
	return methods.ThisMachine().Reach(addrs)
}
