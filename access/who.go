package access

import (
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// What the identities that are no names begin with.
const (
	unixMark    = "unix:"
	deviceMark  = "device:"
	addressMark = "address:"
)

// nobodyID is what the kernel says of a user or a group for which a container, or NFS, has no number. It stands for many, so nobody is
// known by it.
const nobodyID = 65534

// maxGroups is how many groups of a user are looked at. The kernel allows 65,536; who is in more than these is not known by the rest.
const maxGroups = 256

// User returns the identity of a user of this machine, as the kernel knows it at the other end of a Unix socket: by SO_PEERCRED and
// SO_PEERGROUPS. It has the groups in it, so that rules about groups that come later hold for it.
func User(uid int, groups []int) string {
	if uid < 0 || uid == nobodyID {
		return ""
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(groups)))
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d", unixMark, uid)
	sep := byte(':')
	for i, gid := range sorted {
		if gid < 0 || gid == nobodyID || i >= maxGroups {
			continue
		}
		b.WriteByte(sep)
		b.WriteString(strconv.Itoa(gid))
		sep = ','
	}
	return b.String()
}

// Device returns the identity of a device. Its uid is what it says of itself: whoever can plug in a device can choose one.
func Device(uid string) string {
	if uid == "" {
		return ""
	}
	return deviceMark + uid
}

// Address returns the identity of whoever has an IP address.
func Address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return addressMark + a.Unmap().WithZone("").String()
}

// Describe returns an identity in words.
func Describe(identity string) string {
	if identity == "" {
		return "nobody"
	}
	if uid, ok := strings.CutPrefix(identity, unixMark); ok {
		uid, _, _ = strings.Cut(uid, ":")
		return "uid " + uid
	}
	for mark, word := range map[string]string{deviceMark: "device ", addressMark: "address "} {
		if rest, ok := strings.CutPrefix(identity, mark); ok {
			return word + rest
		}
	}
	return identity
}

// parseUser takes the identity of a user apart.
func parseUser(rest string) (uid int, groups []int, ok bool) {
	number, list, _ := strings.Cut(rest, ":")
	uid, err := strconv.Atoi(number)
	if err != nil {
		return 0, nil, false
	}
	for text := range strings.SplitSeq(list, ",") {
		if gid, err := strconv.Atoi(text); err == nil {
			groups = append(groups, gid)
		}
	}
	return uid, groups, true
}

// A Directory says which numbers users and groups have on this machine.
type Directory interface {
	UserID(name string) (int, error)
	GroupID(name string) (int, error)
}

// System is the Directory of the machine.
type System struct{}

// UserID returns the number of a user.
func (System) UserID(name string) (int, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// GroupID returns the number of a group.
func (System) GroupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
