package device

import (
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A Sender is one of a device's senders: its Name, its Events, and its Requests, which are the methods of its requests; nil
// if it answers none.
type Sender = wire.Sender

// An Event is one of a sender's events: its Name; the Unit of its data, as SenML (RFC 8428) writes it; and an Exponent, from
// -18 to 18, which makes decimal fractions travel as integers. With -2, the reading 21.57 travels as 2157.
type Event = wire.Event

// Stats counts a device's traffic: the readings that were Sent, each once; those that the hub has Acknowledged, or Refused,
// which is answered with an error; those that were Lost because the ring was full; the frames that were Resent; and the
// BadFrames, which arrived damaged.
type Stats = link.DeviceStats
