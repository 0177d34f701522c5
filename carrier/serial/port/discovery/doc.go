// Package discovery finds serial ports: which ones there are, which of them a pattern names, and when that may have changed.
//
// # Concepts
//
//   - A [System] is the machine whose ports are looked for.
//   - A [Port] is known by the path of its device file, and a USB adapter also by what it says of itself ([USB]). None of
//     this says which device is at the other end: two adapters may be alike, and the kernel numbers them as they come.
//   - A [Pattern] names any number of ports, whether they are there or not: by path, by USB ids, or all adapters.
//   - [System.Find] returns the ports that a pattern names. [System.Watch] says when to look again.
package discovery
