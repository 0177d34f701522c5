// Package local carries messages between parts of one process, without a socket: for tests, and for programs
// that hold both ends.
//
// A [Hub] is the accepting end; [Hub.NewPeer] makes connecting ends, as many as are wanted. Messages are packed
// and unpacked as on any other medium, so that nothing is shared between the ends and the size limit is real.
package local
