package main

import (
	"context"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// ackEvents is how many events ackOne sends.
const ackEvents = 400

// ackOne measures the time from just before an event is sent until its sender has the acknowledgement, when nothing else is going on,
// and beside it what the disk takes to sync one page. They take turns, because disks are moody.
func ackOne(ctx context.Context, e *env, p peers.Peer) ([]figure, error) {
	return withCrowd(ctx, e, p, fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		var times AckTimes
		if err := c.senders.call("Acknowledge", AckJob{Disk: e.Disk, Events: ackEvents, Warm: ackEvents / 4}, &times); err != nil {
			return nil, err
		}
		c.sent = times.Sent
		if _, _, err := c.settle(ctx); err != nil {
			return nil, err
		}
		ack, sync := micros(percentile(times.Acks, 0.5)), micros(percentile(times.Syncs, 0.5))
		return []figure{
			{"acknowledged, p50, µs", ack}, {"acknowledged, p99, µs", micros(percentile(times.Acks, 0.99))},
			{"fdatasync, p50, µs", sync}, {"acknowledged, in fdatasyncs", ack / sync},
		}, nil
	})
}

// An AckJob says how many events are sent one at a time, how many of them first are not measured, and on which disk pages are synced in
// turn with them.
type AckJob struct {
	Disk         string
	Events, Warm int
}

// AckTimes are how long events took until they were acknowledged, and the disk to sync a page, and how many events were sent.
type AckTimes struct {
	Acks, Syncs []time.Duration
	Sent        uint64
}

// acknowledge is what the first sender does for ackOne.
func (s *senders) acknowledge(j AckJob) (t AckTimes, err error) {
	disk, err := newSyncer(j.Disk)
	if err != nil {
		return t, err
	}
	defer disk.close()
	payload := make([]byte, message.Size)
	for i := range j.Warm + j.Events {
		d, err := disk.sync()
		if err != nil {
			return t, err
		}
		start := s.clock.Now()
		if err := s.publish(context.Background(), 0, payload, start); err != nil {
			return t, err
		}
		if err := s.pubs[0].Drain(); err != nil {
			return t, err
		}
		if i >= j.Warm {
			t.Acks, t.Syncs = append(t.Acks, s.clock.Now()-start), append(t.Syncs, d)
		}
	}
	t.Sent = uint64(s.sent[0])
	return t, nil
}
