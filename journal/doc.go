// Package journal keeps a hub's events in a folder, so that what the hub has acknowledged is still there after a loss of power,
// and can be heard again.
//
// A journal is a log that is written at its end. It consists of segments, files of the same size. A segment holds frames. A
// frame is what one commit writes: events, and what belongs to them. It is on disk as a whole or not at all.
//
//	folder   0000000000000007.journal 0000000000000008.journal …   the number counts segments up
//	segment  head frame, frames, zeros
//	frame    header, content, zeros up to a multiple of 4,096 bytes
//	content  records: names, events, marks, cursors
//
// If there are as many segments as there may be, the oldest is renamed to be the next and is written over, so a disk that others
// fill up does not stop the journal.
//
// A hub does not keep a journal yet: nothing but tests uses this package so far.
package journal
