// Package config reads sighub's configuration, a YAML file, and says what is wrong with it.
//
// The file is decoded strictly: an unknown key, a value of the wrong kind and a value out of range are errors. Each error
// names the file, line and column and says what to do, and all that are found are reported at once. What the file does
// not say has the value that [Default] gives. The page docs/configuration.md describes every key.
package config
