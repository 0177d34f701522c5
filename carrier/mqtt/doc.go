// Package mqtt lets the clients of MQTT 3.1.1 and 5 take part in a hub, as if it were a broker: they subscribe, publish, ask and answer.
//
// A [Server] is a [carrier.Carrier] that translates. What a client publishes becomes signals of senders, which it adds as it needs them;
// its subscriptions become listeners; and requests travel by Response Topic and Correlation Data. So the hub's rules hold for them as for
// all clients: its order, its acknowledgements, its policies for listeners that are slow, and who may do what. Package topic, below this
// one, says which topics stand for which names, and package packet reads and writes what is on the wire.
//
// A message is acknowledged when the hub has acknowledged the signal: where there is a journal, when it is on disk. What a client has not
// acknowledged yet is bounded by its Receive Maximum, which is the hub's window for it. QoS 2 is not offered.
//
// # Sessions
//
// A session that is to be kept is kept in the hub's journal: its subscriptions as a mark, and how far the client has come as cursors. Then
// it costs nothing while the client is away, however long that is, and outlives the hub. Without a journal it is kept in memory, bounded:
// the oldest message makes way for the newest, and is told as lost.
package mqtt
