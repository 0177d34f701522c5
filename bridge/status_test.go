package bridge_test

import (
	"encoding/json"
	"errors"
	"testing"

	"sighub/bridge"
	"sighub/carrier"
)

type fixed struct{ st bridge.Status }

func (f fixed) Status() bridge.Status { return f.st }

// TestState: what happened last counts.
func TestState(t *testing.T) {
	s := bridge.NewState("up", "nats", "nats://x:4222")
	begun := s.Status()
	if begun.Connected || begun.Since.IsZero() || begun.Name != "up" || begun.Kind != "nats" || begun.Where != "nats://x:4222" {
		t.Errorf("%+v", begun)
	}
	if !s.Failed(errors.New("bridge: no route"), "look") || s.Failed(errors.New("bridge: no route"), "look") {
		t.Error("the same error twice is told twice, or never")
	}
	if st := s.Status(); st.Error != "no route" || st.Remedy != "look" || st.ErrorAt == nil {
		t.Errorf("%+v", st)
	}
	s.Connected()
	s.Sent(3)
	s.Refused(1)
	if st := s.Status(); !st.Connected || st.Error != "" || st.ErrorAt != nil || st.Sent != 3 || st.Refused != 1 || st.Since.Before(begun.Since) {
		t.Errorf("%+v", st)
	}
	if !s.Failed(errors.New("bridge: no route"), "look") {
		t.Error("an error that comes back is not told")
	}
	s.Disconnected()
	if st := s.Status(); st.Connected {
		t.Errorf("%+v", st)
	}
}

// TestMethod: the request lists bridges by their names.
func TestMethod(t *testing.T) {
	answer, err := bridge.Method(fixed{bridge.Status{Name: "b"}}, fixed{bridge.Status{Name: "a"}})(t.Context(), carrier.Value{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var list []bridge.Status
	if err := json.Unmarshal(data, &list); err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
		t.Errorf("%s, %v", data, err)
	}
}
