package reference

import "strings"

// head is how the example file begins.
const head = "The configuration of sighub. Everything is optional, and nothing below is in force: these are examples. To use a line, " +
	"remove the # at its beginning, and the one of the key that it belongs to. `sighub config` explains all keys, `sighub config " +
	"serial` those of serial. When you have changed the file, check it, and start the hub again:"

const headCommands = `##
##     sighub check /etc/sighub/sighub.yaml && sudo systemctl restart sighub
`

// width is how long a line of the explanations may be.
const width = 96

// Example returns a file with the examples of one key, or of all if key is empty. Each line is a comment. If one # is removed from the
// beginning of each, the file is a configuration that has all the examples, and texts that are still comments.
func Example(key string) (string, error) {
	list, err := find(key)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	explain(&text, head)
	text.WriteString(headCommands)
	for _, s := range list {
		if s.key == "" {
			continue
		}
		text.WriteString("\n")
		explain(&text, about(s))
		code := false
		for _, line := range s.lines {
			switch {
			case strings.HasPrefix(line, fence):
				code = !code
			case code:
				text.WriteString("#" + line + "\n")
			}
		}
	}
	return text.String(), nil
}

// about returns the first paragraph of a section.
func about(s section) string {
	var lines []string
	for _, line := range s.lines[1:] {
		switch {
		case line != "":
			lines = append(lines, withoutLinks(line))
		case len(lines) > 0:
			return strings.Join(lines, " ")
		}
	}
	return strings.Join(lines, " ")
}

// explain writes a text as comments that stay comments.
func explain(b *strings.Builder, text string) {
	line := "##"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "##"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
