// Package carriertest proves that a carrier keeps the contract of package carrier.
//
// A carrier's own test makes a connected [Pair] and gives it to [Run]. Each rule is a subtest with fresh
// carriers and a watchdog; after each, both Serve calls must have returned, every transmitted message must
// have ended exactly once, and no goroutine may be left.
//
// [Bench] measures, with the same pairs, what a message and a signal cost.
//
// A [Recorder] is the handler that the suite uses: it answers a few methods, remembers what it was told, and
// fails the test at the first call that breaks a rule. It is of use in a carrier's further tests, too.
package carriertest
