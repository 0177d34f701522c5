// Package identities keeps whom a hub knows: by the hash of a public key, by a token, by a password, or by the uid of a device.
//
// A [Store] is a file in the hub's state folder. Nobody but the hub writes it, and nobody but the hub's user can read it, though it has
// no secret: of a token only the SHA-256 is kept, which is as good as any hash for 256 random bits, and of a password its argon2id.
//
// # One writer
//
// A Store that is open locks the file identities.lock beside the file, and is the only one that writes. So a hub has it for as long as
// it runs; a command asks the hub over its socket, and opens the Store itself only if there is no hub. The lock is one of the kernel's
// (flock): a process that dies leaves none behind. What root writes belongs to the owner of the folder, so that a hub of another user
// can read it.
//
// # What is written, and when
//
// The file is replaced as a whole: the new one is written under another name, flushed, and renamed, and the folder is flushed. A change
// holds as soon as that is done. A revocation holds at once, also if the disk is full. When somebody was last there is written with the
// next change, with [Store.Flush], and with [Store.Close], and not each time.
//
// If the file is damaged, [Open] says so, and returns a Store that lets nobody in and writes nothing. The file stays as it is, for
// somebody to look at.
package identities
