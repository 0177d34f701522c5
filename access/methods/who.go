package methods

import (
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"sighub/access"
	"sighub/access/identities"
	"sighub/hub/verb"
	"sighub/internal/safetext"
)

// What people write in front of a user and an address, and what [access] writes in front of a user.
const (
	userWord    = "user:"
	uidWord     = "uid:"
	unixMark    = "unix:"
	deviceMark  = "device:"
	addressMark = "address:"
)

// resolve returns the identity that somebody means.
func (m *methods) resolve(by access.Actor, who string) (string, error) {
	if who == "" {
		return "", fmt.Errorf("say who: a name, user:NAME, device:UID, an IP address, or me")
	}
	if rest, ok := strings.CutPrefix(who, userWord); ok {
		return systemUser(rest)
	}
	if rest, ok := strings.CutPrefix(who, uidWord); ok {
		return systemUser(rest)
	}
	if a, err := netip.ParseAddr(strings.TrimPrefix(who, addressMark)); err == nil {
		return access.Address(a), nil
	}
	if strings.HasPrefix(who, unixMark) || strings.HasPrefix(who, deviceMark) {
		return who, nil
	}
	known := slices.ContainsFunc(m.Control.Identities(), func(id identities.Identity) bool { return id.Name == who })
	switch {
	case known || m.Control.Policy().Explain(who, verb.Listen, "", "").Place != "": // also one whom only the file names
		return who, nil
	case who == wordForCaller:
		return by.Who, nil
	}
	if identity, err := systemUser(who); err == nil {
		return identity, nil
	}
	return "", fmt.Errorf("nobody is called \"%s\": `sighub identities` shows whom the hub knows; a user of its machine is user:NAME, a device device:UID",
		safetext.Short(who, 64))
}

// systemUser returns the identity of a user of this machine, by name or number, with the groups that the user has by the machine's
// files. A process may have others.
func systemUser(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		u = &user.User{Uid: name} // a number that nobody has yet is not a mistake
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return "", fmt.Errorf("the hub's machine has no user \"%s\"", safetext.Short(name, 64))
	}
	ids, _ := u.GroupIds() // those that cannot be read, the user is not in
	var groups []int
	for _, text := range ids {
		if gid, err := strconv.Atoi(text); err == nil {
			groups = append(groups, gid)
		}
	}
	return access.User(uid, groups), nil
}

// uidOf returns the number of a user of this machine.
func uidOf(identity string) (uid string, ok bool) {
	rest, ok := strings.CutPrefix(identity, unixMark)
	uid, _, _ = strings.Cut(rest, ":")
	return uid, ok
}

// describe returns an identity in words: a user with the name.
func describe(identity string) string {
	if uid, ok := uidOf(identity); ok {
		if u, err := user.LookupId(uid); err == nil {
			return "user " + u.Username + " (uid " + uid + ")"
		}
	}
	return access.Describe(identity)
}

// spoken returns an identity as resolve takes it, and as people can type it.
func spoken(identity string) string {
	uid, ok := uidOf(identity)
	if !ok {
		return identity
	}
	if u, err := user.LookupId(uid); err == nil {
		return userWord + u.Username
	}
	return uidWord + uid
}
