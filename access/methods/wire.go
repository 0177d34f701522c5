package methods

import (
	"time"

	"sighub/access"
)

// The names of the methods.
const (
	WhoAmI        = "whoami"
	Explain       = "explain_access"
	Matrix        = "list_access"
	Identities    = "list_identities"
	Invite        = "invite"
	CancelInvite  = "cancel_invitation"
	MakeToken     = "make_token"
	AddDevice     = "know_device"
	Revoke        = "revoke"
	Reload        = "reload_access"
	SetPassword   = "set_password"
	BeginSession  = "begin_session"
	EndSession    = "end_session"
	DrawQR        = "draw_qr"
	wordForCaller = "me"
)

// A Self says who a client is for the hub.
type Self struct {
	Open     bool     `json:"open,omitempty"` // the hub has no access: everybody may do everything
	Identity string   `json:"identity,omitempty"`
	Text     string   `json:"text,omitempty"`   // the identity in words
	Who      string   `json:"who,omitempty"`    // the identity as [Question] takes it
	Roles    []string `json:"roles,omitempty"`  // that the identity has
	Place    string   `json:"place,omitempty"`  // where it has them from: a file and a line
	File     string   `json:"file,omitempty"`   // with the rules
	May      []string `json:"may,omitempty"`    // the verbs of which it may do something
	Rights   string   `json:"rights,omitempty"` // changes whenever what it may do does
}

// A Session is a login that goes on.
type Session struct {
	Token string `json:"token"` // is said in place of a token
}

// A Drawing is a text as a QR code: a row for each line of modules, in which # is black. The margin is not in it.
type Drawing struct {
	Text string   `json:"text,omitempty"` // of the question
	Rows []string `json:"rows,omitempty"`
}

// A Question asks whether somebody may do something.
type Question struct {
	// Who is an identity as [access] writes it, or what people write for one: the name of somebody whom the hub knows, or of a user
	// of its machine; user:NAME, user:UID or uid:UID, device:UID, address:IP or the IP alone; or me, which is the client.
	Who    string `json:"who"`
	Verb   string `json:"verb"`
	Sender string `json:"sender,omitempty"` // empty: any
	Name   string `json:"name,omitempty"`   // of the event or the method; empty: any
}

// An Answer says why somebody may do something, or may not.
type Answer struct {
	access.Explanation
	Text string `json:"text"`
}

// A Table says what everybody may do.
type Table struct {
	Rows     []access.Row `json:"rows"`
	File     string       `json:"file"`
	Pending  string       `json:"pending,omitempty"` // what stands between the file and what is in force
	Warnings []string     `json:"warnings,omitempty"`
}

// An Identity is somebody whom the hub knows.
type Identity struct {
	Name        string       `json:"name"`
	Roles       []string     `json:"roles"` // in force: those of the file, else those that it was given
	Place       string       `json:"place,omitempty"`
	Created     time.Time    `json:"created"`
	Credentials []Credential `json:"credentials"`
}

// A Credential is one way in which an identity proves itself.
type Credential struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"`
	Label   string     `json:"label,omitempty"`
	Proof   string     `json:"proof,omitempty"` // which is not secret: the hash of a public key, or a uid
	Created time.Time  `json:"created"`
	Used    *time.Time `json:"used,omitempty"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

// An Opening is a pairing that is open.
type Opening struct {
	Name   string  `json:"name"`
	Left   float64 `json:"left"`   // seconds in which it can be used
	Failed int     `json:"failed"` // tries
}

// Everybody says whom the hub knows, and who is invited.
type Everybody struct {
	Identities []Identity `json:"identities"`
	Invited    []Opening  `json:"invited,omitempty"`
}

// A Grant says whom to let in, as what.
type Grant struct {
	Name    string   `json:"name"`
	Roles   []string `json:"roles,omitempty"`   // empty: those that the identity has, else viewer
	Address string   `json:"address,omitempty"` // of an invitation: host:port by which the hub is reached; empty: what the hub finds
	Label   string   `json:"label,omitempty"`   // of a token: where it is used
	UID     string   `json:"uid,omitempty"`     // of a device
	// Password is said to the hub in a message, over a connection that nobody else hears: it is nowhere else.
	Password string `json:"password,omitempty"`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// An Invited is who was invited, and how. A secret is in it.
type Invited struct {
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`
	Default    bool     `json:"default,omitempty"`    // nobody has said which role
	Invitation string   `json:"invitation,omitempty"` // empty: it was a dry run
	Address    string   `json:"address,omitempty"`
	Seconds    int      `json:"seconds,omitempty"` // for which it is valid
	Tries      int      `json:"tries,omitempty"`
	Token      string   `json:"token,omitempty"`
	Credential string   `json:"credential,omitempty"` // the id of a password, to revoke it
	Replaced   bool     `json:"replaced,omitempty"`   // the identity had another password, which is not taken any more
}

// A Revocation says what to revoke.
type Revocation struct {
	Name       string `json:"name"`
	Credential string `json:"credential,omitempty"` // its id; empty: all
	DryRun     bool   `json:"dry_run,omitempty"`
}

// A Revoked is what was revoked, or would be.
type Revoked struct {
	Credentials []Credential `json:"credentials"`
	Invitation  bool         `json:"invitation,omitempty"` // that was open
	Left        int          `json:"left"`                 // credentials by which the identity can still log in
}

// A Reloading says whether only to say what would change.
type Reloading struct {
	DryRun bool `json:"dry_run,omitempty"`
}

// A Reloaded says who has gained and lost what. If there are Faults, what was loaded before stays in force.
type Reloaded struct {
	File     string          `json:"file"`
	Changes  []access.Change `json:"changes,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Unknown  []string        `json:"unknown,omitempty"` // what a dry run does not tell
	Faults   []string        `json:"faults,omitempty"`
}
