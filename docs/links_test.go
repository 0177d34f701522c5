// Package docs_test checks the pages: that their links lead somewhere, and that their examples work.
package docs_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestLinks: every relative link and #anchor in a page of this repository leads somewhere.
func TestLinks(t *testing.T) {
	pages := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".tools"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			pages++
			for _, dead := range deadLinks(t, path) {
				t.Error(dead)
			}
		}
		return nil
	})
	if err != nil || pages < 10 {
		t.Errorf("%d pages, %v", pages, err)
	}
	if n := len(prose(t, "../README.md")) - 1; n > 150 {
		t.Errorf("README.md has %d lines: move something to docs, 150 is the limit", n)
	}
}

// TestDeadLinksAreFound proves the check itself.
func TestDeadLinksAreFound(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	text := "# A page: `code`, [linked](other.md)\n## Twice\n## Twice\n" +
		"[good](#a-page-code-linked) [good](#twice-1) [good](other.md#über-uns) [good](.) [good](https://example.com/x)\n" +
		"![dead](no.svg) [dead](other.md#nothing) [dead](#twice-2)\n" +
		"```\n[not a link](nowhere.md)\n# not a heading\n```\n`[not a link](nowhere.md)` [dead](#not-a-heading)\n"
	for name, text := range map[string]string{page: text, filepath.Join(dir, "other.md"): "# Über uns\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, dead := range []string{"5: no.svg", "5: other.md#nothing", "5: #twice-2", "10: #not-a-heading"} {
		line, link, _ := strings.Cut(dead, ": ")
		want = append(want, fmt.Sprintf("%s:%s: dead link: %s", page, line, link))
	}
	if got := deadLinks(t, page); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code    = regexp.MustCompile("`[^`]*`")
	heading = regexp.MustCompile(`^#{1,6} +(.*?) *$`)
)

// deadLinks returns the links of a page that lead nowhere, as file:line: what. Links to other sites are not followed.
func deadLinks(t *testing.T, page string) (dead []string) {
	t.Helper()
	for i, line := range prose(t, page) {
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(line, ""), -1) {
			u, err := url.Parse(match[1])
			if err == nil && u.IsAbs() {
				continue
			}
			if err != nil || !leadsSomewhere(t, page, u) {
				dead = append(dead, fmt.Sprintf("%s:%d: dead link: %s", page, i+1, match[1]))
			}
		}
	}
	return dead
}

func leadsSomewhere(t *testing.T, page string, u *url.URL) bool {
	t.Helper()
	target := page
	if u.Path != "" {
		target = filepath.Join(filepath.Dir(page), u.Path)
	}
	if _, err := os.Stat(target); err != nil {
		return false
	}
	return u.Fragment == "" || slices.Contains(anchors(t, target), u.Fragment)
}

// anchors returns those of a page's headings, as GitHub makes them: lower case, without punctuation, blanks as hyphens, and
// numbered from the second of the same name.
func anchors(t *testing.T, page string) (list []string) {
	t.Helper()
	seen := make(map[string]int)
	for _, line := range prose(t, page) {
		match := heading.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsNumber(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, text)
		n := seen[anchor]
		seen[anchor]++
		if n > 0 {
			anchor = fmt.Sprintf("%s-%d", anchor, n)
		}
		list = append(list, anchor)
	}
	return list
}

// prose returns a page's lines; those of code blocks are empty.
func prose(t *testing.T, page string) []string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	inCode := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence || inCode {
			lines[i] = ""
		}
		if fence {
			inCode = !inCode
		}
	}
	return lines
}

// blocks returns the code blocks of a page in one language.
func blocks(t *testing.T, page, language string) (list []string) {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(data), "\n```"+language+"\n")[1:] {
		block, _, ok := strings.Cut(part, "\n```")
		if !ok {
			t.Fatalf("%s: a block of %s does not end", page, language)
		}
		list = append(list, block+"\n")
	}
	return list
}
