// Package audit records who was let in, who was refused what, and who changed what is allowed: a line of JSON for each.
//
// The lines go to a file that is replaced when it is large, with a bounded number of files, or to a writer, such as the standard error
// that systemd's journal reads. A [Log] has a goroutine that writes, so nobody waits for a disk. What comes too often is left out: so
// many records a minute for each event and cause from one source, so many from all; and once a minute a record tells how many there
// were. Texts of strangers are made harmless and cut, and what looks like a token, an invitation or the hash of a password is removed.
package audit

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"time"

	"sighub/internal/safetext"
)

// An Event is what a Record is about.
type Event string

// The events.
const (
	Login   Event = "login"   // somebody was let in, or was not
	Denied  Event = "denied"  // somebody who was let in may not do something
	Pairing Event = "pairing" // an invitation was made, used, or tried in vain
	Policy  Event = "policy"  // what is allowed has changed, or was to be
	Missing Event = "missing" // records that were left out
)

// The verdicts.
const (
	Allowed = "allowed"
	Refused = "denied"
)

// A Record is what happened. Texts may be those of strangers. Who is an identity that the hub has made sure of, or empty: a name that
// somebody only claims does not belong there, because people type passwords into fields for names.
type Record struct {
	Time    time.Time `json:"time"` // of [Log.Record], if it is zero
	Event   Event     `json:"event"`
	Verdict string    `json:"verdict,omitempty"`
	Who     string    `json:"who,omitempty"`
	From    string    `json:"from,omitempty"` // an address with or without a port, or what else the peer is
	Verb    string    `json:"verb,omitempty"`
	Sender  string    `json:"sender,omitempty"`
	Name    string    `json:"name,omitempty"`  // of the event or the method
	Rule    string    `json:"rule,omitempty"`  // a file and a line
	Cause   string    `json:"cause,omitempty"` // one of few words; it tells what is counted together
	Detail  string    `json:"detail,omitempty"`
	Times   int       `json:"times,omitempty"` // of records that were left out: how many
}

// The length of the longest texts, in bytes.
const (
	longestText   = 120
	longestDetail = 400
)

// secrets are what must never be in a record, whoever put it there.
var secrets = regexp.MustCompile(`(?i)sgh_[0-9a-z]{8,}|\$argon2[^\s"]*|\b(?:[0-9a-z]{4}-){6}[0-9a-z]{4}\b`)

// harmless makes a text harmless, removes secrets, and cuts it. What is cut off was not half a secret.
func harmless(text string, most int) string {
	if len(text) > 4096 {
		text = text[:4096]
	}
	return safetext.Short(secrets.ReplaceAllString(text, "(secret)"), most)
}

// line returns a record as a line.
func (r Record) line() ([]byte, error) {
	for _, text := range []*string{&r.Verdict, &r.Who, &r.From, &r.Verb, &r.Sender, &r.Name, &r.Rule, &r.Cause} {
		*text = harmless(*text, longestText)
	}
	r.Event = Event(harmless(string(r.Event), longestText))
	r.Detail = harmless(r.Detail, longestDetail)
	r.Time = r.Time.UTC().Round(0)
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(safetext.JSON(data), '\n'), nil
}

// source returns whom a record is counted for: an address without its port, a /64 in IPv6, or else a text.
func (r *Record) source() string {
	text := r.From
	if ap, err := netip.ParseAddrPort(text); err == nil {
		text = ap.Addr().String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		if a.Is6() {
			p, _ := a.Prefix(64) // it has 128 bits
			a = p.Addr()
		}
		return a.String()
	}
	if text == "" {
		text = r.Who
	}
	return text[:min(len(text), longestText)]
}
