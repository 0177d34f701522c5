package device

import (
	"context"
	"testing"

	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/port"
)

// TestRoomMeanwhile: a reading that found the ring full displaces nothing if there is room by the time it is queued.
func TestRoomMeanwhile(t *testing.T) {
	d, err := New(func(context.Context) (port.Port, error) { return nil, port.ErrNoModem }, Options{
		Senders: []Sender{{Name: "light", Events: []Event{{Name: "lux"}}}}, Ring: 1, Overflow: OverflowCount,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.room <- struct{}{} // a reading that is not acknowledged
	roomy, err := d.enter(t.Context())
	if roomy || err != nil {
		t.Fatalf("there is room in a full ring: %v, %v", roomy, err)
	}
	<-d.room // it is now
	r := &link.PendingReading{Value: []byte{1}, Done: func(err error) { t.Errorf("the reading ends: %v", err) }}
	if dropped, err := d.queue(r, roomy); dropped != nil || err != nil {
		t.Errorf("displaced %v, %v", dropped, err)
	}
	if len(d.room) != 1 || d.Stats().Lost != 0 {
		t.Errorf("%d readings are in the ring, and %d are lost", len(d.room), d.Stats().Lost)
	}
}
