// Package journal keeps a hub's events in a folder, so that what the hub has acknowledged is still there after a loss of power,
// and can be heard again.
//
// A journal is a log that is written at its end. It consists of segments, files of the same size. A segment holds frames. A
// frame is what one commit writes: events, and what belongs to them. It is on disk as a whole or not at all.
//
//	folder   0000000000000007.journal 0000000000000008.journal …   the number counts segments up
//	         spare                                                 zeros, to be the next segment
//	         0000000000000001-00000000000f4240.rollup …            sums of the events with these sequences
//	segment  head, head, state, frames, zeros
//	frame    header, content, zeros up to a multiple of 4,096 bytes
//	content  records: names, events, marks, cursors
//
// The head of a segment is there twice, since nothing of the segment can be read without it. Its state holds what whoever opens the
// journal must know of everything before: last events, marks, cursors, epochs, and the sums that are in no file yet. So only
// the newest segment is read at the start. If its state cannot be read, an earlier one is.
//
// The frames of a segment have their events in order, so a reader that begins somewhere in it looks at a few frames and not at all.
//
// If there are as many segments as there may be, the oldest is renamed to be the next and is written over, so a disk that others
// fill up does not stop the journal.
//
// Files of sums are derived from the events. Those that are damaged or missing are computed again. They are kept longer than the
// events: when they need too much room, sums of minutes become sums of hours, and then the oldest go.
package journal
