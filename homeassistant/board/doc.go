// Package board keeps what Home Assistant is told at the hub's own MQTT port: announcements, and the newest states, at topics of their own.
//
// A [Board] is a client of the hub. It does nothing until somebody subscribes to such topics. Then it hears the hub, and fills a shelf for
// each identity with what that one may hear, so no announcement tells anybody of a sender that they may not hear.
//
//	homeassistant/device/<id>/config   an announcement of the hub's; empty: it is cleared
//	homeassistant/…/config             one of a client that announces itself: it is kept for it, as by a broker
//	_now/_state                        {"connected":true}: the hub is there
//	_now/<sender>/_state               {"connected":true}: a sender
//	_now/<sender>/<event>              the newest data of an event: never older than what was there before
package board
