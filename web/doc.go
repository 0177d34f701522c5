// Package web is what a hub says over HTTP: an interface for programs under /api/v1, which openapi.json describes, streams of events,
// numbers for Prometheus, and a page that says what there is.
//
// A [Site] is a client of its hub, for whoever asks: each request becomes messages of the protocol, from a client with the identity of
// whoever has asked. So what may be asked, what it costs, and what is done about one who reads slowly is decided where it is for all
// other clients, and nothing is decided here. To the hub, the Site is one more carrier, whose clients are within the process.
package web
