// Package guard stands at the doors of a hub that runs: it lets in whom the access rules know, on every medium, and keeps what belongs
// to that: the identities, the audit, and a watch over the file of the rules. What the rules mean, package access knows.
//
// A nil Guard is that of a hub without rules: it lets everybody in as nobody.
package guard
