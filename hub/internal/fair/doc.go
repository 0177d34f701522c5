// Package fair keeps one client of a hub from taking the time of others: [Patience] bounds how long senders wait for it, and
// [Pace] how much work it makes.
package fair
