// Package docs holds the pages that the program itself prints.
package docs

import _ "embed" // the page below

// Configuration is configuration.md.
//
//go:embed configuration.md
var Configuration string
