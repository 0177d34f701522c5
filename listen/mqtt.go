package listen

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"time"
)

// beginsMQTT reports whether a byte begins a CONNECT of MQTT: type 1, without flags.
func beginsMQTT(first byte) bool { return first == 0x10 }

// What MQTT calls a server that does not take connections now: clients try again later, and do not take it for a wrong version.
const (
	mqtt3Unavailable = 0x03 // MQTT 3.1.1, table 3.1
	mqtt5Unavailable = 0x88 // MQTT 5.0, table 3-1
	mqttReason       = 0x1f // the property Reason String, MQTT 5.0, 3.2.2.3.9
)

const noMQTT = "MQTT is not spoken at this address"

// answerMQTT reads a CONNECT as far as its version, and refuses it. The error is errStranger if it is not MQTT after all.
func (s *Server) answerMQTT(c *conn) error {
	r := bufio.NewReaderSize(c, 512)
	head, version, err := readConnect(r)
	if err != nil {
		return err
	}
	if version == 0 {
		return s.tellStranger(c, head)
	}
	if err := c.SetWriteDeadline(time.Now().Add(goodbyeTime)); err != nil {
		return err
	}
	if _, err := c.Write(refuseConnect(version)); err != nil {
		return err
	}
	s.count("stranger")
	s.options.Logger.Warn("connection closed: MQTT is not spoken here", "client", c.peer.Addr, "version", versionOfMQTT(version))
	c.linger()
	return c.Close()
}

// readConnect reads what a CONNECT begins with: the fixed header, the name of the protocol and its level, which is the version;
// 0 if it is not a CONNECT.
func readConnect(r *bufio.Reader) (head []byte, version byte, err error) {
	next := func(n int) bool {
		for range n {
			var b byte
			if b, err = r.ReadByte(); err != nil {
				return false
			}
			head = append(head, b)
		}
		return true
	}
	if !next(1) {
		return head, 0, err
	}
	for i := 0; ; i++ { // the remaining length, of up to four bytes
		if !next(1) {
			return head, 0, err
		}
		if head[len(head)-1] < 0x80 {
			break
		}
		if i == 3 {
			return head, 0, nil
		}
	}
	if !next(2) {
		return head, 0, err
	}
	length := int(binary.BigEndian.Uint16(head[len(head)-2:]))
	if length != len("MQTT") && length != len("MQIsdp") {
		return head, 0, nil
	}
	if !next(length) {
		return head, 0, err
	}
	if name := string(head[len(head)-length:]); name != "MQTT" && name != "MQIsdp" {
		return head, 0, nil
	}
	version, err = r.ReadByte()
	return head, max(version, 1), err
}

// refuseConnect returns the CONNACK that refuses a CONNECT of this version.
func refuseConnect(version byte) []byte {
	if version < 5 {
		return []byte{0x20, 2, 0, mqtt3Unavailable}
	}
	properties := append([]byte{mqttReason, 0, byte(len(noMQTT))}, noMQTT...)
	body := append([]byte{0, mqtt5Unavailable, byte(len(properties))}, properties...)
	return append([]byte{0x20, byte(len(body))}, body...)
}

func versionOfMQTT(level byte) string {
	switch level {
	case 3:
		return "3.1"
	case 4:
		return "3.1.1"
	case 5:
		return "5.0"
	default:
		return fmt.Sprint("level ", level)
	}
}
