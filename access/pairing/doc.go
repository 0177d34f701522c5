// Package pairing lets somebody in whom the hub does not know yet, by a secret that is used once.
//
// # What is said, and to whom
//
// The hub makes an [Invitation]: one line that a person carries to the other machine. It has an address, 80 bits of the SHA-256 of the
// hub's public key, and a secret. The other machine connects with TLS and compares the hub's key with those 80 bits before it says
// anything ([Invitation.IsHub]). Then it says a [Proof], which is an HMAC under the secret of both public keys of this connection: the
// hub's and its own. The hub knows both keys from TLS, and takes the proof for that key of the client only.
//
// So the secret itself is never said. Somebody in the middle has another key, and is told nothing. A proof that is overheard or kept
// is good for nothing: it is for one key of a client and one of the hub, and an invitation is over once it was accepted. To guess a
// secret of 40 bits there are [Tries] tries in [Valid].
//
// Somebody who can make 2^80 keys and hash them finds one that looks like the hub's. That is a thousand million machines for years.
package pairing
