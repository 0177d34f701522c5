package topic

import (
	"strings"
	"testing"
)

// TestNames: each name has a topic, which stands for it, and no other name has the same one.
func TestNames(t *testing.T) {
	for _, c := range []struct{ sender, event, topic string }{
		{"pump", "state", "pump/state"},
		{"tele/kitchen", "SENSOR", "tele/kitchen/SENSOR"},
		{"pump", "a/b", "pump/a%2Fb"},
		{"50%", "#alarm", "50%25/%23alarm"},
		{"a+b", "c#d", "a%2Bb/c%23d"},
		{"_a/_b", "_c", "%5Fa/%5Fb/%5Fc"},
		{"a_b", "c_d", "a_b/c_d"},
		{"$SYS", "$x", "%24SYS/$x"},
		{"a", "_state", "a/%5Fstate"},
		{"/a", "b", "/a/b"},
		{"grün", "°C", "grün/°C"},
	} {
		if got := Of(c.sender, c.event); got != c.topic {
			t.Errorf("%s of %s has the topic %s, want %s", c.event, c.sender, got, c.topic)
		}
		n, err := Parse(c.topic)
		if err != nil || n.Kind != Event || n.Sender != c.sender || n.Name != c.event {
			t.Errorf("%s stands for %+v (%v)", c.topic, n, err)
		}
	}
	for topic, want := range map[string]Name{
		"pump/_request/start": {Request, "pump", "start"}, "a/b/_request/c%2Fd": {Request, "a/b", "c/d"},
		"pump/_answer/start": {Answer, "pump", "start"}, "_answer/x": {Kind: Answer}, "_answer/a/b/c": {Kind: Answer},
	} {
		if n, err := Parse(topic); err != nil || n != want {
			t.Errorf("%s stands for %+v (%v), want %+v", topic, n, err, want)
		}
	}
	for _, topic := range []string{"", "a", "/", "a/", "/b", "a/_b", "_a/b", "a/_b/c", "$a/b", "a/%", "a/%4", "a/%zz", "_request/a", "a/_request/", "/_request/x"} {
		if n, err := Parse(topic); err == nil {
			t.Errorf("%q stands for %+v", topic, n)
		}
	}
	if got := Of("a/b", Connect) + " " + Of("a", Disconnect) + " " + Of("a", Gap) + " " + Of("", Gap); got != "a/b/_state a/_state a/_gap _gap" {
		t.Error(got)
	}
}

// TestFilters: what a filter listens to, and which topics it has (MQTT 5, 4.7).
func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filter       string
		kind         Kind
		sender, name string
		yes, no      string
	}{
		{"pump/state", Event, "pump", "state", "pump/state", "pump/other a/pump/state pump/state/x pump/_state"},
		{"pump/%73tate", Event, "pump", "state", "pump/state", "pump/%73tate"},
		{"a%2fb/c", Event, "a/b", "c", "a/b/c", "x/y"},
		{"pump/+", Event, "pump", "", "pump/state pump/_state pump/_gap", "pump a/pump/x pump/a/b"},
		{"pump/#", Event, "", "", "pump pump/state pump/a/b", "pumps/a a/pump"},
		{"#", Event, "", "", "a a/b a/b/c _gap /a", "$SYS/a"},
		{"+/state", Event, "", "", "pump/state /state", "a/b/state state $x/state"},
		{"+/+", Event, "", "", "a/b /b", "a a/b/c"},
		{"tele/+/SENSOR", Event, "", "", "tele/a/SENSOR", "tele/SENSOR tele/a/b/SENSOR tele/a/STATE"},
		{"pump/_state", State, "pump", "", "pump/_state", "pump/state"},
		{"+/_state", State, "", "", "a/_state", "a/b/_state"},
		{"+/_gap", Lost, "", "#gap", "a/_gap", "_gap"},
		{"pump/_request/+", Request, "pump", "", "pump/_request/x", "pump/x"},
		{"pump/_request/start", Request, "pump", "start", "pump/_request/start", "pump/_request/x"},
		{"_answer/me/#", Answer, "", "", "_answer/me/1 _answer/me", "_answer/you"},
		{"pump/_answer/+", Answer, "", "", "pump/_answer/x", ""},
		{"$SYS/#", Nothing, "", "", "$SYS/x", "a"},
		{"alone", Nothing, "", "", "alone", "x"},
	} {
		f, err := ParseFilter(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if f.Kind != c.kind || f.Sender != c.sender || f.Name.Name != c.name {
			t.Errorf("%s is %+v", c.filter, f.Name)
		}
		for topic := range strings.FieldsSeq(c.yes) {
			if !f.Matches(topic) {
				t.Errorf("%s has not %s", c.filter, topic)
			}
		}
		for topic := range strings.FieldsSeq(c.no) {
			if f.Matches(topic) {
				t.Errorf("%s has %s", c.filter, topic)
			}
		}
	}
	for _, filter := range []string{"", "a#", "#/a", "a/#/b", "a+/b", "a/+b", "_a/b", "a/_b", "+/_request/x", "a/_request", "a/_request/x/y", "a/%zz", "%z/b"} {
		if f, err := ParseFilter(filter); err == nil {
			t.Errorf("%q is %+v", filter, f.Name)
		}
	}
}

// TestKept: topics of messages that are kept are told from others by themselves alone.
func TestKept(t *testing.T) {
	for text, want := range map[string]bool{
		"homeassistant/status": true, "homeassistant/#": true, "homeassistant/+/+/config": true, "_now/pump/state": true, "_now/#": true,
		"homeassistant": false, "homeassistants/x": false, "a/homeassistant/x": false, "#": false, "+/status": false, "_now": false, "_nowhere/x": false,
		"homeassistant/sensor/x/config": true, "homeassistant/sensor/x/state": false, "homeassistant/+/x/state": true,
	} {
		if IsKept(text) != want {
			t.Errorf("%s: %t", text, !want)
		}
	}
	for text, want := range map[string]bool{
		"_now/pump/state": true, "homeassistant/device/sighub_1/config": true, "homeassistant/device/x/config": false, Status: false,
	} {
		if IsOwn(text) != want {
			t.Errorf("%s: %t", text, !want)
		}
	}
	f, err := ParseKept("homeassistant/+/#")
	if err != nil || f.Kind != Kept || !f.Wild() || !f.Matches("homeassistant/device/x/config") || f.Matches("homeassistants/a/b") {
		t.Errorf("%+v, %v", f, err)
	}
	for _, text := range []string{"_now/#/x", "_now/a+", "homeassistant/x#"} {
		if _, err := ParseKept(text); err == nil {
			t.Errorf("%s is a filter", text)
		}
	}
}

// FuzzTopics: names go into topics and come back, and what a topic stands for has that topic.
func FuzzTopics(f *testing.F) {
	f.Add("pump", "state")
	f.Add("a/_b/+#%$", "_c/d")
	f.Add("$a", "$b")
	f.Add("", "#gap")
	f.Fuzz(func(t *testing.T, sender, event string) {
		if f, err := ParseFilter(sender + "/" + event); err == nil {
			f.Matches(sender)
		}
		if n, err := Parse(sender); err == nil && n.Kind == Event {
			if again, err := Parse(Of(n.Sender, n.Name)); err == nil && again != n {
				t.Errorf("%q stands for %+v, and its topic %q for %+v", sender, n, Of(n.Sender, n.Name), again)
			}
		}
		if sender == "" || event == "" || event == Connect || event == Disconnect || event == Gap {
			return
		}
		topic := Of(sender, event)
		if strings.ContainsAny(topic, "+#") {
			t.Errorf("%q", topic)
		}
		n, err := Parse(topic)
		if err != nil || n.Kind != Event || n.Sender != sender || n.Name != event {
			t.Errorf("%q of %q has the topic %q, which stands for %+v (%v)", event, sender, topic, n, err)
		}
		filter, err := ParseFilter(topic)
		if err != nil || filter.Kind != Event || !filter.Matches(topic) {
			t.Errorf("the filter %q: %v", topic, err)
		}
	})
}
