package reference

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sighub/docs"
	"sighub/internal/config"
)

// unknown is a key that no mapping has: the error that refuses it lists those that it may have.
const unknown = "unknown_key_of_no_place"

// keysAt returns the keys that the decoder knows at a place, which wrap writes a mapping to; none if no mapping belongs there.
func keysAt(t *testing.T, wrap func(string) string) []string {
	t.Helper()
	_, err := config.Parse("x", []byte(wrap("{"+unknown+": 1}")))
	if err == nil {
		return nil
	}
	list := regexp.MustCompile(unknown + `.* it may have (.*)`).FindStringSubmatch(err.Error())
	if list == nil {
		return nil
	}
	return strings.Split(list[1], ", ")
}

// walk calls see with the path of every key that the decoder knows.
func walk(t *testing.T, path []string, wrap func(string) string, see func(path []string)) {
	t.Helper()
	if len(path) > 6 {
		t.Fatalf("%s has no end", strings.Join(path, "."))
	}
	for _, key := range keysAt(t, wrap) {
		path := append(slices.Clip(path), key)
		see(path)
		for _, shape := range []string{"%", "[%]", "{some: %}"} { // a mapping, a list of mappings, mappings by name
			walk(t, path, func(inner string) string { return wrap("{" + key + ": " + strings.Replace(shape, "%", inner, 1) + "}") }, see)
		}
	}
}

// TestEveryKey: the page has a section for each key of the file, and says there what each key below it means.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	walk(t, nil, func(inner string) string { return inner }, func(path []string) {
		name := strings.Join(path, ".")
		if seen[name] {
			return
		}
		seen[name] = true
		page, err := Page(path[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		key := regexp.QuoteMeta(path[len(path)-1])
		if !regexp.MustCompile(`(?m)^[^|#]*\b` + key + ":|`" + key + "`").MatchString(page) {
			t.Errorf("%s: its section lacks the key", name)
		}
	})
	for _, name := range []string{"listen.speaks", "tls.key", "serial.may", "sensors.events.factor", "sensors.law.r25", "limits.memory", "journal.ack"} {
		if !seen[name] {
			t.Errorf("%s was not found", name)
		}
	}
	for _, key := range Keys() {
		if !seen[key] {
			t.Errorf("the page has a section %q, which is no key", key)
		}
	}
	t.Logf("%d keys", len(seen))
}

// TestExample: the example is in force only once its lines are freed of their #; then it is all that the page shows.
func TestExample(t *testing.T) {
	t.Parallel()
	text, err := Example("")
	if err != nil {
		t.Fatal(err)
	}
	asIs, err := config.Parse("example", []byte(text))
	if err != nil || !reflect.DeepEqual(asIs.Summary(), config.Default().Summary()) || !reflect.DeepEqual(asIs.Limits, config.Default().Limits) {
		t.Errorf("as it is, it says %+v, %v", asIs, err)
	}
	used, err := config.Parse("example", []byte(uncommented(t, text)))
	if err != nil {
		t.Fatalf("%v\n%s", err, uncommented(t, text))
	}
	shown, err := config.Parse("page", []byte(blocks(docs.Configuration)))
	if err != nil || used.Summary() != shown.Summary() || len(shown.Sensing.Thresholds) == 0 {
		t.Errorf("%v: %s\n%s", err, used.Summary(), shown.Summary())
	}
	for _, key := range Keys() {
		part, err := Example(key)
		if err != nil || !strings.Contains(part, "\n#"+key+":") {
			t.Errorf("%s: %v\n%s", key, err, part)
		}
		if _, err := config.Parse("part", []byte(uncommented(t, part))); err != nil && key != "thresholds" {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func uncommented(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "#")
		if !ok && line != "\n" {
			t.Errorf("not a comment: %s", line)
		}
		if strings.HasPrefix(line, "##") && len(line) > width+1 {
			t.Errorf("long: %s", line)
		}
		b.WriteString(rest)
		if line == "\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

func blocks(page string) string {
	var b strings.Builder
	for _, part := range strings.Split(page, "\n```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		b.WriteString(block)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	t.Parallel()
	if page, err := os.ReadFile("../../docs/configuration.md"); err != nil || string(page) != docs.Configuration {
		t.Error("the program has another page", err)
	}
	whole, err := Page("")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range Keys() {
		part, err := Page(key)
		if err != nil || !strings.Contains(whole, part) || !strings.HasPrefix(part, "## "+key+"\n") {
			t.Errorf("%s: %v\n%s", key, err, part)
		}
	}
	for _, mark := range []string{"](", "```"} {
		if strings.Contains(whole, mark) {
			t.Errorf("%s is left", mark)
		}
	}
	if !strings.Contains(whole, "\n    log:\n      level: info ") {
		t.Error("examples are not indented")
	}
	for _, f := range []func(string) (string, error){Page, Example} {
		if _, err := f("sreial"); err == nil || !strings.Contains(err.Error(), "write one of listen, ") {
			t.Error(err)
		}
	}
}
