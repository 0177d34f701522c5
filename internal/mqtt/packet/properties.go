package packet

// Properties are those of any packet of MQTT 5 (table 2-4). What is not there has the value zero.
type Properties struct {
	seen uint64 // bit n: the property with the identifier n

	PayloadFormat   byte
	RequestProblem  byte
	RequestResponse byte
	MessageExpiry   uint32 // seconds
	SessionExpiry   uint32 // seconds
	WillDelay       uint32 // seconds
	MaxPacket       uint32
	SubscriptionID  uint32
	ReceiveMax      uint16
	ServerKeepAlive uint16 // seconds
	MaxQoS          byte
	Retain          byte // 0: the server keeps no messages
	TopicAliasMax   uint16
	TopicAlias      uint16
	ContentType     []byte
	ResponseTopic   []byte
	Correlation     []byte
	AuthMethod      []byte
	AuthData        []byte
	ReasonText      []byte
	User            []UserProperty
}

// A UserProperty is a name and a value.
type UserProperty struct{ Name, Value []byte }

// The identifiers of properties.
const (
	PropPayloadFormat   = 0x01
	PropMessageExpiry   = 0x02
	PropContentType     = 0x03
	PropResponseTopic   = 0x08
	PropCorrelation     = 0x09
	PropSubscriptionID  = 0x0B
	PropSessionExpiry   = 0x11
	PropAssignedID      = 0x12
	PropServerKeepAlive = 0x13
	PropAuthMethod      = 0x15
	PropAuthData        = 0x16
	PropRequestProblem  = 0x17
	PropWillDelay       = 0x18
	PropRequestResponse = 0x19
	PropResponseInfo    = 0x1A
	PropServerReference = 0x1C
	PropReasonText      = 0x1F
	PropReceiveMax      = 0x21
	PropTopicAliasMax   = 0x22
	PropTopicAlias      = 0x23
	PropMaxQoS          = 0x24
	PropRetain          = 0x25
	PropUser            = 0x26
	PropMaxPacket       = 0x27
	PropWildcards       = 0x28
	PropSubscriptionIDs = 0x29
	PropSharedAvailable = 0x2A
)

// Has reports whether a property is there.
func (p *Properties) Has(id byte) bool { return p.seen&(1<<id) != 0 }

func set(ids ...byte) (bits uint64) {
	for _, id := range ids {
		bits |= 1 << id
	}
	return bits
}

// Which packets may have which properties: first those that a client sends, then those of a server that may have others.
var (
	ofConnect = set(PropSessionExpiry, PropAuthMethod, PropAuthData, PropRequestProblem, PropRequestResponse, PropReceiveMax,
		PropTopicAliasMax, PropUser, PropMaxPacket)
	ofWill = set(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelation, PropWillDelay, PropUser)
	// ofPublish lacks the subscription identifier, which a client must not send.
	ofPublish = set(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelation, PropTopicAlias, PropUser)
	ofAck     = set(PropReasonText, PropUser)
	ofSub     = set(PropSubscriptionID, PropUser)
	ofUnsub   = set(PropUser)
	ofEnd     = set(PropSessionExpiry, PropReasonText, PropUser)

	ofDelivered = ofPublish | set(PropSubscriptionID)
	ofAnswer    = set(PropSessionExpiry, PropReceiveMax, PropMaxQoS, PropRetain, PropMaxPacket, PropAssignedID, PropTopicAliasMax,
		PropReasonText, PropUser, PropWildcards, PropSubscriptionIDs, PropSharedAvailable, PropServerKeepAlive, PropResponseInfo,
		PropServerReference, PropAuthMethod, PropAuthData)
	ofServerEnd = set(PropReasonText, PropUser, PropServerReference)
)

// properties reads the properties of a packet that may have the given ones.
func (r *reader) properties(p *Properties, allowed uint64, packet string) {
	*p = Properties{User: p.User[:0]}
	n := int(r.varint("length of properties"))
	if n > len(r.data) {
		r.fail(malformed("the properties of %s are longer than it is", packet))
	}
	if r.err != nil || n == 0 {
		return
	}
	in := reader{data: r.data[:n]}
	r.data = r.data[n:]
	for len(in.data) > 0 && in.err == nil {
		id := in.varint("identifier of a property")
		if id >= 64 || allowed&(1<<id) == 0 {
			in.fail(protocolError("%s cannot have the property 0x%02X", packet, id))
			break
		}
		if again := id == PropUser || id == PropSubscriptionID && allowed == ofDelivered; !again && p.seen&(1<<id) != 0 {
			in.fail(protocolError("%s has the property 0x%02X twice", packet, id))
			break
		}
		p.seen |= 1 << id
		in.property(p, byte(id))
	}
	if in.err != nil {
		r.fail(in.err)
	}
}

// property reads one property.
func (r *reader) property(p *Properties, id byte) {
	const what = "property"
	switch id {
	case PropPayloadFormat:
		p.PayloadFormat = r.flag()
	case PropRequestProblem:
		p.RequestProblem = r.flag()
	case PropRequestResponse:
		p.RequestResponse = r.flag()
	case PropMessageExpiry:
		p.MessageExpiry = r.uint32()
	case PropSessionExpiry:
		p.SessionExpiry = r.uint32()
	case PropWillDelay:
		p.WillDelay = r.uint32()
	case PropMaxPacket:
		if p.MaxPacket = r.uint32(); p.MaxPacket == 0 && r.err == nil {
			r.fail(protocolError("the Maximum Packet Size must not be 0"))
		}
	case PropSubscriptionID:
		if p.SubscriptionID = r.varint(what); p.SubscriptionID == 0 && r.err == nil {
			r.fail(protocolError("a Subscription Identifier must not be 0"))
		}
	case PropReceiveMax:
		if p.ReceiveMax = r.uint16(what); p.ReceiveMax == 0 && r.err == nil {
			r.fail(protocolError("the Receive Maximum must not be 0"))
		}
	case PropServerKeepAlive:
		p.ServerKeepAlive = r.uint16(what)
	case PropMaxQoS:
		p.MaxQoS = r.flag()
	case PropRetain:
		p.Retain = r.flag()
	case PropWildcards, PropSubscriptionIDs, PropSharedAvailable:
		r.flag() // no client here needs to know
	case PropAssignedID, PropResponseInfo, PropServerReference:
		r.text(what) // likewise
	case PropTopicAliasMax:
		p.TopicAliasMax = r.uint16(what)
	case PropTopicAlias:
		p.TopicAlias = r.uint16(what)
	case PropContentType:
		p.ContentType = r.text(what)
	case PropResponseTopic:
		p.ResponseTopic = r.text(what)
	case PropCorrelation:
		p.Correlation = r.binary(what)
	case PropAuthMethod:
		p.AuthMethod = r.text(what)
	case PropAuthData:
		p.AuthData = r.binary(what)
	case PropReasonText:
		p.ReasonText = r.text(what)
	case PropUser:
		p.User = append(p.User, UserProperty{r.text(what), r.text(what)})
	}
}

// flag reads a property that is 0 or 1.
func (r *reader) flag() byte {
	b := r.byte("property")
	if b > 1 && r.err == nil {
		r.fail(protocolError("a property that is 0 or 1 is %d", b))
	}
	return b
}
