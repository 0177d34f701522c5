// Package frame has the messages of Modbus and how they lie on a serial line (RTU) and on a connection (TCP). It does no I/O.
//
// Its sources are "MODBUS Application Protocol Specification" V1.1b3, "MODBUS over Serial Line Specification and Implementation Guide" V1.02
// and "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, all of modbus.org.
//
// # Certainty
//
// A frame on a serial line says neither which request it answers nor where it begins: what arrives is an answer if it lies anywhere in
// the bytes since the request, is from the unit that was asked, has the function and the length that were asked for, and its CRC holds.
package frame
