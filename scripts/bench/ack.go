package main

import (
	"context"
	"time"
)

// ackEvents is how many events ackOne sends.
const ackEvents = 400

// ackOne measures the time from just before an event is sent until its sender has the acknowledgement, when nothing else is going on,
// and beside it what the disk takes to sync one page. They take turns, because disks are moody.
func ackOne(ctx context.Context, e *env, p peer) ([]figure, error) {
	return withCrowd(ctx, e, p, fan{senders: 1, listeners: 1}, func(c *crowd) ([]figure, error) {
		disk, err := newSyncer(e.disk)
		if err != nil {
			return nil, err
		}
		defer disk.close()
		payload := make([]byte, payloadSize)
		var acks, syncs []time.Duration
		for i := range ackEvents + ackEvents/4 {
			d, err := disk.sync()
			if err != nil {
				return nil, err
			}
			start := c.clock.now()
			if err := c.send(ctx, 0, payload, start); err != nil {
				return nil, err
			}
			if err := c.pubs[0].drain(); err != nil {
				return nil, err
			}
			if i >= ackEvents/4 {
				acks, syncs = append(acks, c.clock.now()-start), append(syncs, d)
			}
		}
		if _, _, err := c.settle(ctx); err != nil {
			return nil, err
		}
		ack, sync := micros(percentile(acks, 0.5)), micros(percentile(syncs, 0.5))
		return []figure{
			{"acknowledged, p50, µs", ack}, {"acknowledged, p99, µs", micros(percentile(acks, 0.99))},
			{"fdatasync, p50, µs", sync}, {"acknowledged, in fdatasyncs", ack / sync},
		}, nil
	})
}
