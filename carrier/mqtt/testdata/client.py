# A client of Paho in both versions: it subscribes, publishes, asks and answers. Prints what goes wrong, or "ok".
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

host, port, version = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
patience = 20


def client(name, **options):
    if version == mqtt.MQTTv5:
        c = mqtt.Client(name, protocol=version)
        c.connect(host, port, clean_start=True)
    else:
        c = mqtt.Client(name, clean_session=True, protocol=version)
        c.connect(host, port)
    c.heard, c.granted = queue.Queue(), queue.Queue()
    c.on_message = lambda c, data, m: c.heard.put(m)
    c.on_subscribe = lambda c, data, mid, granted, *rest: c.granted.put(granted)
    c.loop_start()
    return c


def subscribe(c, *args, **options):
    c.subscribe(*args, **options)
    return c.granted.get(timeout=patience)


def publish(c, *args, **options):
    c.publish(*args, **options).wait_for_publish()


def expect(c, topic, payload):
    while True:
        m = c.heard.get(timeout=patience)
        if "_state" not in m.topic:
            break
    if m.topic != topic or m.payload != payload:
        sys.exit(f"heard {m.topic} {m.payload!r}, want {topic} {payload!r}")
    return m


listener, sender = client("listener"), client("sender")
granted = subscribe(listener, [("paho/#", 2), ("other/x", 0)])
if [int(str(g.value if hasattr(g, "value") else g)) for g in granted] != [1, 0]:
    sys.exit(f"granted {granted}")
for i in range(300):
    sender.publish("paho/n", str(i), qos=1)
for i in range(300):
    m = expect(listener, "paho/n", str(i).encode())
    if m.qos != 1:
        sys.exit(f"QoS {m.qos}")
if version == mqtt.MQTTv5:
    if not {"time", "seq"} <= {name for name, value in m.properties.UserProperty}:
        sys.exit(f"properties {m.properties}")

# the sender answers requests of the listener
subscribe(sender, "paho/_request/+", 0)


def answer(c, data, m):
    properties = None
    topic = m.topic.replace("_request", "_answer")
    if version == mqtt.MQTTv5:
        topic = m.properties.ResponseTopic
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = m.properties.CorrelationData
    c.publish(topic, b'{"did":' + m.payload + b"}", properties=properties)


sender.on_message = answer
where, properties = "paho/_answer/work", None
if version == mqtt.MQTTv5:
    where, properties = "_answer/listener/1", Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = where, b"\x00\x01"
subscribe(listener, where, 0)
publish(listener, "paho/_request/work", "3", properties=properties)
m = expect(listener, where, b'{"did":3}')
if version == mqtt.MQTTv5 and m.properties.CorrelationData != b"\x00\x01":
    sys.exit(f"correlation {m.properties}")
for c in (listener, sender):
    c.disconnect()
    c.loop_stop()
print("ok")
