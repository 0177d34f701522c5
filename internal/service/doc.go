// Package service runs the hub as a service of systemd: it tells when the hub serves, reloads and stops, and whether it is alive.
//
// Alive means that the hub answers. Before each sign of life, a client of the hub's own, called watchdog, sends it a request, on the
// same way as every other client's: through a carrier, the client's queue and the hub's table of methods; and the Router looks for a
// sender, under the lock that all registrations take. A hub that hangs there, or whose process stands still, is silent, and systemd
// starts it again.
package service
