package manual

import (
	"fmt"
	"strings"

	"sighub/internal/commandline"
)

// A Page is one man page.
type Page struct {
	Name string // of its file: sighub-run.1
	Text string // in roff, with the macros of man(7)
}

// Pages returns a page for the program and for each of its commands that is not hidden. The version and the date (2026-01-31) are
// those of the program.
func Pages(program *commandline.Command, version, date string) (pages []Page) {
	root := newCommand(program, nil)
	root.all(func(c *command) {
		pages = append(pages, Page{Name: strings.Join(c.words, "-") + ".1", Text: c.page(root, version, date)})
	})
	return pages
}

// page writes the page of one command.
func (c *command) page(root *command, version, date string) string {
	var b roff
	title := strings.Join(c.words, "-")
	fmt.Fprintf(&b, ".TH %s 1 %q %q \"User Commands\"\n", strings.ToUpper(escape(title)), date, escape(root.name()+" "+version))
	b.section("NAME")
	help, detail := c.help, c.detail
	if c == root { // its description is one text
		help, detail, _ = strings.Cut(help, "\n\n")
	}
	about, more, _ := strings.Cut(help, ". ")
	b.line(title + ` - ` + strings.TrimSuffix(about, "."))
	b.section("SYNOPSIS")
	b.macro(".B", c.name())
	b.line(c.synopsis())
	if more != "" || detail != "" {
		b.section("DESCRIPTION")
		b.text(more)
		b.text(detail)
	}
	if len(c.children) > 0 {
		b.section("COMMANDS")
		for _, child := range c.children {
			b.macro(".TP\n.B", strings.Join(child.words[len(c.words):], " "))
			b.line(child.help)
		}
	}
	if len(c.values) > 0 {
		b.section("ARGUMENTS")
		for _, v := range c.values {
			b.macro(".TP\n.I", v.stands)
			b.line(v.help)
		}
	}
	b.section("OPTIONS")
	for _, f := range c.flags {
		b.flag(f)
	}
	b.section("SEE ALSO")
	b.line(c.others(root))
	return b.String()
}

// synopsis returns what may follow the command.
func (c *command) synopsis() string {
	parts := []string{"[OPTIONS]"}
	if len(c.children) > 0 {
		parts = append(parts, "COMMAND")
	}
	for _, v := range c.values {
		part := v.stands
		if v.repeated {
			part += "..."
		}
		if v.optional {
			part = "[" + part + "]"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// others names the pages that a reader may want next: those below the program, or the program's.
func (c *command) others(root *command) string {
	var list []string
	root.all(func(o *command) {
		if o != c && (c == root || o == root || strings.HasPrefix(o.name(), c.name()+" ")) {
			list = append(list, strings.Join(o.words, "-")+"(1)")
		}
	})
	return strings.Join(list, ", ")
}

// A roff is text with the macros of man(7).
type roff struct{ strings.Builder }

func (b *roff) section(name string) { b.WriteString(".SH " + name + "\n") }

func (b *roff) macro(macro, text string) { b.WriteString(macro + ` "` + escape(text) + "\"\n") }

// line writes text that is filled up to the width of the terminal.
func (b *roff) line(text string) {
	if text == "" {
		return
	}
	text = escape(strings.ReplaceAll(text, "`", "\""))
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") { // it would be a macro
		text = `\&` + text
	}
	b.WriteString(text + "\n")
}

// text writes paragraphs, as the program prints them: indented lines keep their form.
func (b *roff) text(text string) {
	paragraph, form := true, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "    ")
		switch {
		case line == "":
			paragraph = true
			continue
		case indented && !form:
			b.WriteString(".PP\n.RS 4\n.nf\n")
		case form && !indented:
			b.WriteString(".fi\n.RE\n")
			fallthrough
		case paragraph:
			if !indented {
				b.WriteString(".PP\n")
			} else {
				b.WriteString(".sp\n")
			}
		}
		paragraph, form = false, indented
		if indented {
			b.WriteString(`\&` + escape(line[4:]) + "\n")
		} else {
			b.line(line)
		}
	}
	if form {
		b.WriteString(".fi\n.RE\n")
	}
}

func (b *roff) flag(f value) {
	text := "--" + f.name
	if f.short != "" {
		text = "-" + f.short + ", " + text
	}
	if f.stands != "" {
		text += "=" + f.stands
	}
	b.macro(".TP\n.B", text)
	help := f.help
	if f.preset != "" && !strings.Contains(help, "Default") {
		help += " Default: " + f.preset + "."
	}
	b.line(help)
}

// escape makes text mean itself in roff.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `"`, `\(dq`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`).Replace(text)
}
