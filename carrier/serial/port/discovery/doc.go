// Package discovery finds serial ports: which ones there are, which of them a [Pattern] names, and when that may have
// changed.
//
// A port is known by the path of its device file, and if it is a USB adapter by what that says of itself. None of this
// says which device is at the other end: two adapters may be the same in every respect, and the kernel numbers them as
// they come.
package discovery
