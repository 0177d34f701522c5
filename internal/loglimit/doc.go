// Package loglimit keeps a log short, whatever a stranger does to make it long. A [Handler] stands before the handler that
// writes. It lets pass, in each minute, so many records with the same message from the same source, so many with the same message
// from all sources on the network, and so many from the network altogether. It counts the others, and once a minute one record for
// each message tells how many were left out, and from where most of them came.
//
// The source of a record is what its attributes say of whom it is about: the first of client, device, port, addr and others, without
// what a stranger can choose freely, such as a client's name or its TCP port. So messages should be constant, and what changes
// should be in attributes.
//
// [Recent] keeps the latest lines that have passed, for those who may read the log in the hub.
//
// Texts in attributes are made harmless by [safetext], and cut.
package loglimit
