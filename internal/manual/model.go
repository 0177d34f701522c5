package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
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

// newCommand returns what a node of the parser says.
func newCommand(n *kong.Node, above []string) *command {
	c := &command{words: append(slices.Clone(above), n.Name), help: n.Help, detail: n.Detail}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			c.flags = append(c.flags, newFlag(f))
		}
	}
	for _, p := range n.Positional {
		v := newValue(p)
		v.stands = strings.ToUpper(p.Name)
		c.values = append(c.values, v)
	}
	for _, child := range n.Children {
		if !child.Hidden {
			c.children = append(c.children, newCommand(child, c.words))
		}
	}
	return c
}

func newFlag(f *kong.Flag) value {
	v := newValue(f.Value)
	if f.Short != 0 {
		v.short = string(f.Short)
	}
	if !f.IsBool() {
		v.stands = f.PlaceHolder
		if v.stands == "" {
			v.stands = strings.ToUpper(f.Name)
		}
		v.preset = f.Default
	}
	v.files = v.files || isFile(v.stands)
	for _, env := range f.Envs {
		v.help += " ($" + env + ")"
	}
	return v
}

func newValue(k *kong.Value) value {
	v := value{name: k.Name, help: k.Help, files: isFile(strings.ToUpper(k.Name)), repeated: k.IsCumulative(), optional: !k.Required}
	if k.Enum != "" {
		v.words = slices.DeleteFunc(k.EnumSlice(), func(word string) bool { return word == "" })
	}
	return v
}

// isFile reports whether what is to be written is the name of a file or a folder.
func isFile(stands string) bool {
	return slices.ContainsFunc(strings.Split(stands, "|"), func(word string) bool {
		return word == "FILE" || word == "DIR" || word == "FOLDER" || word == "PATH"
	})
}
