package access

import (
	"context"
	"errors"
	"testing"
	"time"

	"sighub/access/attempts"
)

// TestInterrupted: who ends the connection while the password waits to be checked has tried; who had to wait for too long has not.
func TestInterrupted(t *testing.T) {
	s, err := newSite(t, siteRules)
	must(t, err)
	gone, end := context.WithCancel(t.Context())
	end()
	late, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()
	for range 4 * attempts.Burst {
		if _, err := s.Login(late, home, Secret{Name: "bob", Password: "a wrong password"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	for range attempts.Burst {
		if _, err := s.Login(gone, home, Secret{Name: "bob", Password: "a wrong password"}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	_, err = s.Login(t.Context(), home, Secret{Name: "bob", Password: "correct horse"})
	if le, _ := errors.AsType[*LoginError](err); le == nil || le.Cause != "slow" {
		t.Errorf("attempts that were interrupted are given back: %v", err)
	}
	s.records()
}
