// Package remote opens serial ports that are elsewhere: at a server of ports such as ser2net, at a bridge such as an ESP8266, at a
// converter with a network plug.
//
// # Concepts
//
//   - A path is "tcp://HOST:PORT" or "rfc2217://HOST:PORT". HOST is a name, an IPv4 address, or an IPv6 address in brackets.
//   - With tcp, bytes pass as they are. Rate, parity and modem lines are those that the server has, so no settings can be given.
//   - With rfc2217, the server speaks Telnet with the option of RFC 2217, by which all settings travel. A server that refuses the option,
//     or cannot have a setting, is an error in plain words.
//   - An [Opener] opens both. A port that it opens is a [port.Port]; over RFC 2217 it is also a [port.RateSetter] and a
//     [port.ModemSetter].
//   - A connection whose other end has vanished is noticed within half a minute, by keep-alive.
//
// The protocol is that of RFC 854 (Telnet), RFC 856 (binary transmission) and RFC 2217 (COM port control).
package remote
