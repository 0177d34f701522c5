// Package methods has the methods by which the owner of a hub sees and changes who may do what there, while the hub runs: the hub's
// end, [Methods], and the other one, [Client].
//
// Whoever calls them needs the verb admin, except for [WhoAmI]. Changes are in the audit, with who has made them. A hub without
// access has the methods, too: they say what to do about that.
package methods
