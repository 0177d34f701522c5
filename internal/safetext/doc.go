// Package safetext makes texts of strangers harmless. A stranger is a device, a client, a file: whoever chose the text may have
// wanted it to move the cursor, to turn the reading direction, to look like another text, or to hide.
//
//   - [Line] is for whatever a person reads: a terminal, a table, an error, a log.
//   - [JSON] is for lines of JSON that may end on a terminal.
//   - [CheckName] is the door: it says why a text cannot be a name.
//   - [Skeleton] and [Mixed] tell of names that look alike.
//
// What is harmless is one rule for all of them: letters, marks, digits, punctuation and symbols of every script, the ordinary
// space, and the joiners and selectors inside of an emoji.
package safetext
