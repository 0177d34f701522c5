// Package access decides who may do what at a hub.
//
// People write the [Rules], a YAML file: roles, which are lists of what is allowed, and who has which role. The hub itself writes the
// identities (package identities): whom it knows by a key, a token or a password. Both together are compiled into a [Policy], which
// does not change. A [Control] holds the one that is in force, and replaces it when a file or an identity changes. Whatever no rule
// allows is denied.
//
// # Identities
//
// An identity is a text, which [Control.Login] or one of these functions makes:
//
//   - a name without a colon, such as alice: somebody whose key, token or password the hub knows
//   - [User]: a user of this machine, by what the kernel says of the Unix socket's other end
//   - [Device]: a device on a serial line
//   - [Address]: whoever has an IP address. That proves nothing; it is for old programs, on listeners that say so.
//
// The empty text is nobody, who may do nothing. An identity never enters a pattern, so no name gives anybody a right.
//
// Each identity is bound to roles in one place: its own line in the file, else what it was given when it was paired. A user without a
// line has the roles of the first group in the file that the user is in, and an address has those of the longest prefix that it is in.
// So each decision can be told with one line of a file.
package access
