// Package yamlfile decodes the YAML files that people write, and says what is wrong with them.
//
// A file is bounded before it is parsed: its bytes, its entries, how deep it is, and how long its mappings are. Anchors and aliases are
// refused. It is decoded strictly, node by node: an unknown key, a key that is there twice, and a value of the wrong kind are errors.
// Each error names the file, line and column and says what to do, and all that are found are reported at once.
package yamlfile
