package manual

import (
	"slices"
	"strings"

	"sighub/internal/commandline"
)

// A command is the program, a group of its commands, or one of these.
type command struct {
	words    []string // from the program's name on
	help     string   // in a few words
	detail   string   // the rest, as the program prints it
	flags    []value
	values   []value // its arguments without flags
	children []*command
}

// A value is a flag, or an argument without one.
type value struct {
	name     string
	short    string // of a flag, one letter; often empty
	help     string
	stands   string   // for what is to be written: FILE; empty: a flag without a value
	words    []string // that may be written; empty: others
	files    bool     // the name of a file or folder is to be written
	repeated bool
	optional bool
	preset   string // the default, if the help does not tell it
}

// name returns the command as it is written.
func (c *command) name() string { return strings.Join(c.words, " ") }

// all calls f for the command and those below it.
func (c *command) all(f func(*command)) {
	f(c)
	for _, child := range c.children {
		child.all(f)
	}
}

// newCommand returns what the command line says of a command.
func newCommand(from *commandline.Command, above []string) *command {
	c := &command{words: append(slices.Clone(above), from.Name), help: from.Help, detail: from.Detail}
	for _, f := range from.Flags {
		c.flags = append(c.flags, newFlag(f))
	}
	for _, a := range from.Arguments {
		v := newValue(a)
		v.stands = strings.ToUpper(a.Stands)
		c.values = append(c.values, v)
	}
	for _, child := range from.Commands {
		if !child.Hidden {
			c.children = append(c.children, newCommand(child, c.words))
		}
	}
	return c
}

func newFlag(f *commandline.Value) value {
	v := newValue(f)
	v.short, v.stands = f.Short, f.Stands
	v.files = isFile(v.stands)
	if v.stands != "" {
		v.preset = f.Default
	}
	if f.Env != "" {
		v.help += " ($" + f.Env + ")"
	}
	return v
}

func newValue(from *commandline.Value) value {
	return value{name: from.Name, help: from.Help, words: from.Words, files: isFile(strings.ToUpper(from.Stands)), repeated: from.Repeated,
		optional: from.Optional}
}

// isFile reports whether what is to be written is the name of a file or a folder.
func isFile(stands string) bool {
	return slices.ContainsFunc(strings.Split(stands, "|"), func(word string) bool {
		return word == "FILE" || word == "DIR" || word == "FOLDER" || word == "PATH"
	})
}
