package methods

import (
	"context"
	"fmt"

	"sighub/carrier"
)

// A Caller calls methods of a hub, as a hub.ClientRouter does.
type Caller interface {
	Call(ctx context.Context, method string, params any) (carrier.Value, error)
}

// A Client calls the methods.
type Client struct{ Caller }

// call calls a method and returns what it answers.
func call[R any](ctx context.Context, c Client, method string, params any) (result R, err error) {
	v, err := c.Call(ctx, method, params)
	if err != nil || v.IsNull() {
		return result, err
	}
	if err := v.Decode(&result); err != nil {
		return result, fmt.Errorf("the answer to %s cannot be read; the hub may be of another version: %w", method, err)
	}
	return result, nil
}

// WhoAmI returns who the client is for the hub.
func (c Client) WhoAmI(ctx context.Context) (Self, error) { return call[Self](ctx, c, WhoAmI, nil) }

// Explain returns whether somebody may do something, and why.
func (c Client) Explain(ctx context.Context, q Question) (Answer, error) {
	return call[Answer](ctx, c, Explain, q)
}

// Matrix returns what everybody may do.
func (c Client) Matrix(ctx context.Context) (Table, error) { return call[Table](ctx, c, Matrix, nil) }

// Identities returns whom the hub knows.
func (c Client) Identities(ctx context.Context) (Everybody, error) {
	return call[Everybody](ctx, c, Identities, nil)
}

// Invite invites somebody. The answer has a secret.
func (c Client) Invite(ctx context.Context, g Grant) (Invited, error) {
	return call[Invited](ctx, c, Invite, g)
}

// CancelInvite takes an invitation back.
func (c Client) CancelInvite(ctx context.Context, name string) error {
	_, err := c.Call(ctx, CancelInvite, Grant{Name: name})
	return err
}

// MakeToken makes a token. The answer has a secret.
func (c Client) MakeToken(ctx context.Context, g Grant) (Invited, error) {
	return call[Invited](ctx, c, MakeToken, g)
}

// AddDevice makes a device known by its uid.
func (c Client) AddDevice(ctx context.Context, g Grant) (Invited, error) {
	return call[Invited](ctx, c, AddDevice, g)
}

// SetPassword gives somebody a password, which is said to the hub: so the connection must be one that nobody else hears.
func (c Client) SetPassword(ctx context.Context, g Grant) (Invited, error) {
	return call[Invited](ctx, c, SetPassword, g)
}

// Revoke revokes an identity, or one of its credentials.
func (c Client) Revoke(ctx context.Context, r Revocation) (Revoked, error) {
	return call[Revoked](ctx, c, Revoke, r)
}

// Reload loads the rules again.
func (c Client) Reload(ctx context.Context, r Reloading) (Reloaded, error) {
	return call[Reloaded](ctx, c, Reload, r)
}

// BeginSession returns what the client can say in place of a token from now on.
func (c Client) BeginSession(ctx context.Context) (secret string, err error) {
	s, err := call[Session](ctx, c, BeginSession, nil)
	return s.Token, err
}

// EndSession ends a session.
func (c Client) EndSession(ctx context.Context, secret string) error {
	_, err := c.Call(ctx, EndSession, Session{secret})
	return err
}

// DrawQR returns a text as a QR code.
func (c Client) DrawQR(ctx context.Context, text string) (rows []string, err error) {
	d, err := call[Drawing](ctx, c, DrawQR, Drawing{Text: text})
	return d.Rows, err
}
