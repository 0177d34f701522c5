package commandline

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Usage returns the help of the command, in lines of at most width columns where words allow it.
func (c *Command) Usage(width int) string {
	t := text{width: min(max(width, 40), 100)}
	summary := c.Path()
	if len(c.Commands) > 0 {
		summary += " <command>"
	}
	if s := synopsis(c.Arguments); s != "" {
		summary += " " + s
	}
	t.line("Usage: " + summary + " [flags]")
	t.paragraphs(c.Help)
	t.paragraphs(c.Detail)
	var rows []row
	for _, v := range c.Arguments {
		rows = append(rows, row{synopsis([]*Value{v}), v.Help})
	}
	t.table("Arguments:", rows)
	rows = nil
	for _, f := range c.Flags {
		help := f.Help
		if f.Env != "" {
			help = strings.TrimSuffix(help, ".") + " ($" + f.Env + ")."
		}
		rows = append(rows, row{f.summary(), help})
	}
	t.table("Flags:", rows)
	t.table("Commands:", c.listed(""))
	if len(c.Commands) > 0 {
		t.line("")
		t.line(fmt.Sprintf("Run \"%s <command> --help\" for more about a command.", c.Path()))
	}
	return t.String()
}

// listed returns the commands below c, those of groups instead of the groups.
func (c *Command) listed(prefix string) (rows []row) {
	for _, child := range c.Commands {
		switch {
		case child.Hidden:
		case len(child.Commands) > 0:
			rows = append(rows, child.listed(prefix+child.Name+" ")...)
		default:
			rows = append(rows, row{prefix + child.Name, child.Help})
		}
	}
	return rows
}

// synopsis returns arguments as they are written, optional ones in brackets: <event> [<data>].
func synopsis(arguments []*Value) string {
	var parts []string
	open := 0
	for _, v := range arguments {
		part := v.argument()
		if v.Optional {
			part = "[" + part
			open++
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ") + strings.Repeat("]", open)
}

// argument returns an argument as the help writes it: <event>.
func (v *Value) argument() string {
	dots := ""
	if v.Repeated {
		dots = " ..."
	}
	return "<" + v.Stands + ">" + dots
}

// written returns a flag as the help writes it: --count=N.
func (v *Value) written() string {
	if v.Stands == "" {
		return "--" + v.Name
	}
	return "--" + v.Name + "=" + v.Stands
}

// summary returns a flag with its letter.
func (v *Value) summary() string {
	if v.Short == "" {
		return "    " + v.written()
	}
	return "-" + v.Short + ", " + v.written()
}

// A text is text that is filled up to a width.
type text struct {
	strings.Builder
	width int
}

func (t *text) line(s string) { t.WriteString(s + "\n") }

// paragraphs writes paragraphs, which are filled; indented lines keep their form.
func (t *text) paragraphs(s string) {
	if s == "" {
		return
	}
	t.line("")
	var words []string
	flush := func() {
		for _, l := range fill(strings.Join(words, " "), t.width) {
			t.line(l)
		}
		words = nil
	}
	for l := range strings.SplitSeq(s, "\n") {
		if l == "" || strings.HasPrefix(l, "    ") {
			flush()
			t.line(l)
			continue
		}
		words = append(words, l)
	}
	flush()
}

// A row is a line of a table: what is explained, and the explanation.
type row struct{ what, help string }

// table writes what there is, with the explanations beside it.
func (t *text) table(title string, rows []row) {
	if len(rows) == 0 {
		return
	}
	t.line("")
	t.line(title)
	column := 0
	for _, r := range rows {
		column = max(column, utf8.RuneCountInString(r.what))
	}
	column = min(column, t.width/3)
	for _, r := range rows {
		lines := fill(r.help, t.width-column-6)
		if utf8.RuneCountInString(r.what) > column {
			t.line("  " + r.what)
			r.what = ""
		}
		for i, l := range lines {
			if i > 0 {
				r.what = ""
			}
			t.line(fmt.Sprintf("  %-*s    %s", column, r.what, l))
		}
	}
}

// fill breaks text into lines between words.
func fill(s string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
