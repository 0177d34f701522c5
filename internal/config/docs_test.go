package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"sighub/sensors/modbus/profile"
)

// TestDocumentation: the examples of the pages are right. That docs/configuration.md has every key, internal/reference tests.
func TestDocumentation(t *testing.T) {
	page := readPage(t, "../../docs/configuration.md")
	sections := yamlOf(page)
	whole, err := Parse("docs/configuration.md", []byte(strings.Join(sections, "")))
	if err != nil || len(whole.Sensing.Sensors) != 4 || len(whole.Serial) != 9 {
		t.Errorf("all sections together: %v", err)
	}
	var pages []string
	for _, name := range []string{"gateway", "devices", "ports"} {
		pages = append(pages, yamlOf(readPage(t, "../../docs/"+name+".md"))...)
	}
	for _, section := range append(pages, sections...) {
		if _, err := Parse("the page", []byte(section)); err != nil {
			t.Errorf("%v in\n%s", err, section)
		}
	}
	for _, block := range yamlOf(readPage(t, "../../docs/modbus.md")) {
		_, err := Parse("the page", []byte(block))
		if strings.Contains(block, "# modbus/") {
			_, err = profile.Parse("the page", []byte(block))
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
	if limits := sections[len(sections)-1]; !strings.HasPrefix(limits, "limits:") {
		t.Errorf("the last section is not limits but\n%s", limits)
	} else if c, err := Parse("limits", []byte(limits)); err != nil || !reflect.DeepEqual(c.Limits, Default().Limits) {
		t.Errorf("limits are %+v, not the defaults; %v", c, err)
	}
	if j := whole.Journal; j.Size != Default().Journal.Size || j.Commit != Default().Journal.Commit || j.Ack != AckCommit || j.OnFailure != FailLive {
		t.Errorf("the page calls other values of journal defaults than it has: %+v", j)
	}
	_, heredoc, _ := strings.Cut(readPage(t, "../../docs/gateway.md"), "<<'YAML'\n")
	gateway, _, _ := strings.Cut(heredoc, "YAML\n")
	if c, err := Parse("gateway.md", []byte(gateway)); err != nil || len(c.Listen) != 1 || len(c.Serial) != 1 {
		t.Errorf("%v in\n%s", err, gateway)
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func yamlOf(page string) (list []string) {
	for _, part := range strings.Split(page, "\n```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		list = append(list, block)
	}
	return list
}
