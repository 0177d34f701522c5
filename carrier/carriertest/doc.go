// Package carriertest proves that a carrier keeps the contract of package carrier.
//
// A carrier's own test makes a connected [Pair] and gives it to [Run]. Each rule is a subtest with fresh
// carriers and a watchdog; after each, both Serve calls must have returned, every transmitted message must
// have ended exactly once, and no goroutine may be left.
//
// [Bench] measures, with the same pairs, what a message and a signal cost.
//
// A [Recorder] is the handler that the suite uses. It answers a few methods, remembers its calls, and fails the
// test at the first one that breaks a rule. It is useful in a carrier's other tests, too.
package carriertest
