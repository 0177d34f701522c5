package identities

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// A Kind is how somebody proves to be somebody.
type Kind string

// The kinds of credentials.
const (
	Key      Kind = "key"      // a public key, by its hash; TLS proves who has the private one
	Token    Kind = "token"    // 256 random bits
	Password Kind = "password" // what a person remembers
	Device   Kind = "device"   // the uid of a device, which is only what it says of itself
)

// The limits of what a Store keeps.
const (
	MaxIdentities  = 4096
	MaxCredentials = 4096 // of all identities
	maxEach        = 16   // credentials of one identity
	maxRoles       = 64   // of one identity
	maxLabel       = 64   // bytes
	maxUID         = 255  // bytes
)

// The errors of a Store. Those of logins say what the hub may tell its owner: a stranger is told the same, whichever it is.
var (
	ErrUnknown = errors.New("identities: not known here")
	ErrRevoked = errors.New("identities: revoked")
	ErrBusy    = errors.New("identities: another process has the identities open: ask the hub that runs, or stop it first")
	ErrCrowded = errors.New("identities: too many passwords wait to be checked: try again later")
)

// An Identity is somebody whom the hub knows.
type Identity struct {
	Name        string
	Roles       []string
	Created     time.Time
	Credentials []Credential
}

// Active reports whether the identity has a credential that is not revoked.
func (id *Identity) Active() bool { return slices.ContainsFunc(id.Credentials, Credential.Active) }

// Devices returns the uids of devices that are not revoked.
func (id *Identity) Devices() []string { return id.devices(true) }

// RevokedDevices returns the uids of devices that are revoked.
func (id *Identity) RevokedDevices() []string { return id.devices(false) }

func (id *Identity) devices(active bool) (uids []string) {
	for _, c := range id.Credentials {
		if c.Kind == Device && c.Active() == active {
			uids = append(uids, c.proof)
		}
	}
	return uids
}

// A Credential is one way in which an identity proves itself.
type Credential struct {
	ID      string // unique within the Store
	Kind    Kind
	Label   string // where it is used; may be empty
	Created time.Time
	Revoked time.Time // zero: it is not

	proof string // hex of a SHA-256, a password's argon2id, or a uid
	hash  [32]byte
	used  *atomic.Int64 // the seconds of Unix time when it was last used; 0: never
}

// Active reports whether the credential is not revoked.
func (c Credential) Active() bool { return c.Revoked.IsZero() }

// Used returns when the credential was last used; the zero Time if it never was.
func (c Credential) Used() time.Time {
	if at := c.used.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// Proof returns what a person compares: the hash of a key in hexadecimal, or the uid of a device. It is empty for what is secret.
func (c Credential) Proof() string {
	if c.Kind == Key || c.Kind == Device {
		return c.proof
	}
	return ""
}

// State is all identities at one time. It does not change.
type state struct {
	list []*Identity // sorted by name
}

// find returns the identity of a name, or nil.
func (s *state) find(name string) *Identity {
	if i := slices.IndexFunc(s.list, func(id *Identity) bool { return id.Name == name }); i >= 0 {
		return s.list[i]
	}
	return nil
}

// clone returns a copy whose identities may be changed. When a credential was last used is shared.
func (s *state) clone() *state {
	c := &state{list: make([]*Identity, len(s.list))}
	for i, id := range s.list {
		same := *id
		same.Roles, same.Credentials = slices.Clone(id.Roles), slices.Clone(id.Credentials)
		c.list[i] = &same
	}
	return c
}

// count returns how many credentials there are.
func (s *state) count() (n int) {
	for _, id := range s.list {
		n += len(id.Credentials)
	}
	return n
}
