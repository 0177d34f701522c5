// Package keys has the keys and certificates of hubs and their clients, and pins, by which one knows the other.
//
// Nobody vouches for a hub in a home or in a field: it makes its own key and its own certificate, see [Own]. A client knows it
// by a [Pin], the beginning of the SHA-256 of its public key (the SubjectPublicKeyInfo of the certificate). So a hub may renew
// its certificate whenever it likes, as long as it keeps the key; names and dates in the certificate mean nothing to those who
// pin. Who has a certificate of an authority uses [Files] instead.
//
// A client may have a key of its own, see [Client], and proves in TLS that it has it.
package keys
