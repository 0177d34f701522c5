package reference

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sighub/docs"
)

// A section of the page: what it says of one key, or first, of none.
type section struct {
	key   string
	lines []string
}

// sections takes the page apart at its headings of the second level.
func sections() (list []section) {
	now := section{}
	code := false
	for line := range strings.Lines(docs.Configuration) {
		line = strings.TrimSuffix(line, "\n")
		key, heading := strings.CutPrefix(line, "## ")
		code = code != strings.HasPrefix(line, fence)
		if !heading || code {
			now.lines = append(now.lines, line)
			continue
		}
		list = append(list, now)
		now = section{key: key, lines: []string{line}}
	}
	return append(list, now)
}

// fence begins and ends an example.
const fence = "```"

// Keys returns the keys that have a section, in the order of the page.
func Keys() (keys []string) {
	for _, s := range sections()[1:] {
		keys = append(keys, s.key)
	}
	return keys
}

// find returns the section of a key, or all if the key is empty.
func find(key string) ([]section, error) {
	all := sections()
	if key == "" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(s section) bool { return s.key == key })
	if i < 0 {
		return nil, fmt.Errorf("the configuration has no section %q: write one of %s", key, strings.Join(Keys(), ", "))
	}
	return all[i : i+1], nil
}

// Page returns what the page says of one key, or all of it if key is empty, as text for a terminal.
func Page(key string) (string, error) {
	list, err := find(key)
	var text strings.Builder
	for _, s := range list {
		code := false
		for _, line := range s.lines {
			switch {
			case strings.HasPrefix(line, fence):
				code = !code
				continue
			case code && line != "":
				line = "    " + line
			case !code:
				line = withoutLinks(line)
			}
			text.WriteString(line + "\n")
		}
	}
	return text.String(), err
}

// link is a link of Markdown: its text stays, and the page that it leads to, if that is another one.
var link = regexp.MustCompile(`\[([^]]+)\]\(([^)#]*)(?:#[^)]*)?\)`)

func withoutLinks(line string) string {
	return link.ReplaceAllStringFunc(line, func(whole string) string {
		parts := link.FindStringSubmatch(whole)
		if parts[2] == "" {
			return parts[1]
		}
		return parts[1] + " (docs/" + parts[2] + ")"
	})
}
