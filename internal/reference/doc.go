// Package reference tells what a configuration may say, to whoever has only the program: the page docs/configuration.md as plain
// text, and an example file that is made of the examples on that page. So there is one text, which the tests hold against the
// decoder.
package reference
