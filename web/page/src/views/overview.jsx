// The overview: every device with its latest values, how old they are, and whether it is there.

import {Fragment, h} from "preact";
import {useMemo, useState} from "preact/hooks";
import {BridgesAway} from "./bridges.jsx";
import {deviceOf} from "../hub.js";
import {Command, Empty, Name, Pill, route, Since, Spark, useChanges, usePolled, useSeen, useTick, Value} from "../parts.jsx";
import {age, several} from "../text.js";
import {now} from "../time.js";

// asked for by whoever goes in order; the others went without a word.
const inOrder = new Set(["removed", "closed", "shutdown"]);

// devices groups the senders by the device that they are parts of.
export function devices(hub) {
	const all = new Map();
	for (const s of hub.senders.values()) {
		const key = deviceOf(s);
		let d = all.get(key);
		if (!d) all.set(key, d = {key, senders: [], client: s.client});
		d.senders.push(s);
		if (s.client && s.connected) d.client = s.client;
	}
	for (const d of all.values()) {
		d.senders.sort((a, b) => a.name < b.name ? -1 : 1);
		d.connected = d.senders.some((s) => s.connected);
		const away = d.senders.filter((s) => !s.connected);
		const by = d.connected ? d.senders.filter((s) => s.connected) : away;
		d.since = d.connected ? Math.min(...by.map((s) => s.since || Infinity)) : Math.max(...by.map((s) => s.since));
		if (d.since === Infinity) d.since = 0;
		d.reason = d.connected ? "" : (by.reduce((a, b) => b.since > a.since ? b : a).reason || "");
		d.name = d.key === "hub" ? "This hub" : d.client ? d.client.name || d.client.addr || "client " + d.client.id : d.key === "?" ? "Not connected" : d.key;
		d.gone = !d.connected && d.key !== "hub" && !(d.client && d.client.uid) && (inOrder.has(d.reason) || !d.reason);
		d.lost = d.senders.reduce((n, s) => n + s.lost, 0);
	}
	return [...all.values()].sort((a, b) => rank(a) - rank(b) || (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : a.name.toLowerCase() > b.name.toLowerCase() ? 1 : a.key < b.key ? -1 : 1));
}

// What needs to be looked at comes first, then what is there.
const rank = (d) => d.gone ? 3 : !d.connected ? 0 : d.key === "hub" ? 2 : 1;

export function State({device: d}) {
	if (d.connected) return <Pill kind="good">connected{d.since > 0 && <> for <Since t={d.since} /></>}</Pill>;
	if (d.reason === "timeout") return <Pill kind="bad">silent{d.since > 0 && <> for <Since t={d.since} /></>}</Pill>;
	return <Pill kind={d.gone ? "off" : "bad"}>{d.gone ? "gone" : "away"}{d.reason && <>: <Name most={60}>{d.reason}</Name></>}{d.since > 0 && <>, for <Since t={d.since} /></>}</Pill>;
}

// shortName leaves out the name of the device from the name of its sender.
export function shortName(device, sender) {
	const n = device.client && device.client.name;
	return n && sender.name.startsWith(n + ".") ? sender.name.slice(n.length + 1) : sender.name;
}

function Row({device, topic, seen}) {
	const s = topic.sender;
	const key = () => seen.current ? `${topic.version} ${topic.time ? age(now() - topic.time) : ""} ${s.connected}` : null;
	useTick(() => key() ?? "");
	const wide = typeof topic.data === "string" || typeof topic.data === "object"; // nothing to draw
	return <tr class={s.connected ? "" : "away"}>
		<th scope="row"><a href={route("device", device.key, s.name, topic.event)}><Name most={40}>{shortName(device, s)}</Name> <span class="event"><Name most={40}>{topic.event}</Name></span></a></th>
		{!wide && <td class="sparkcell"><Spark list={topic.spark} /></td>}
		<td class="valuecell" colSpan={wide ? 2 : 1}><Value topic={topic} /></td>
		<td class="age">{topic.time ? age(now() - topic.time) : "–"}{topic.lateBy > 0 && <span class="late" title={`it arrived ${age(topic.lateBy)} after it was measured`}> late</span>}</td>
	</tr>;
}

// rows is how many events of a device the overview shows.
const rows = 12;

function Card({device}) {
	const [ref, seen] = useSeen();
	const topics = device.senders.flatMap((s) => [...s.topics.values()]);
	const kind = device.key === "hub" ? "sensors of the hub's own" : device.client && device.client.uid ? "device" : "program";
	return <article class={"card device" + (device.connected ? "" : " away")} ref={ref}>
		<header><h3><a href={route("device", device.key)}><Name most={40}>{device.name}</Name></a></h3><State device={device} /></header>
		<table class="values"><caption class="hidden">latest values of {device.name}</caption><tbody>
			{topics.slice(0, rows).map((t) => <Row key={t.sender.name + "\n" + t.event} device={device} topic={t} seen={seen} />)}
		</tbody></table>
		{topics.length === 0 && <p class="muted">no events yet</p>}
		<footer>
			<span>{kind}</span>
			{topics.length > rows && <a href={route("device", device.key)}>{several(topics.length - rows, "event")} more</a>}
			{device.lost > 0 && <a class="warn" href={route("losses")}>{several(device.lost, "event")} lost</a>}
		</footer>
	</article>;
}

export function Overview({hub}) {
	useChanges(hub);
	const all = useMemo(() => devices(hub), [hub.version]);
	const [filter, setFilter] = useState("");
	const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
	const fits = (d) => words.every((w) => [d.name, ...d.senders.map((s) => s.name), ...d.senders.flatMap((s) => [...s.topics.keys()])].some((n) => n.toLowerCase().includes(w)));
	if (all.length === 0) return hub.listedOnce ? <Nothing hub={hub} /> : <p class="muted">asking the hub…</p>;
	const shown = words.length ? all.filter(fits) : all;
	const there = shown.filter((d) => !d.gone), gone = shown.filter((d) => d.gone);
	const silent = all.filter((d) => !d.connected && !d.gone).length;
	return <>
		<div class="bar">
			<h1>Devices</h1>
			<p class="summary">{several(all.filter((d) => d.connected).length, "source")} connected{silent > 0 && <>, <b class="bad">{silent} away</b></>}</p>
			{all.length > 6 && <input type="search" placeholder="Filter" aria-label="Filter devices" value={filter} onInput={(e) => setFilter(e.target.value)} />}
		</div>
		{hub.overflow && <p class="trouble">There are more senders than this page shows. The command line has all: sighub senders</p>}
		<BridgesAway hub={hub} />
		<div class="cards">{there.map((d) => <Card key={d.key} device={d} />)}</div>
		{there.length === 0 && gone.length > 0 && <p class="muted">Nothing is connected now.</p>}
		{gone.length > 0 && <details class="gone" open={there.length === 0}><summary>{several(gone.length, "program")} that ended</summary><div class="cards">{gone.map((d) => <Card key={d.key} device={d} />)}</div></details>}
		{shown.length === 0 && <p class="muted">Nothing here has that name.</p>}
	</>;
}

// Nothing says what to do when nothing is there.
function Nothing({hub}) {
	const {value: ports} = usePolled(hub, async () => hub.may("admin") ? hub.call("list_ports") : null, 3000);
	return <Empty title="Nothing is here yet">
		<p>Plug in a board that runs sighub's firmware: it is found by itself. Without a board, let one be simulated on the hub's machine, and start the hub with the port that is printed:</p>
		<Command>sighub simulate --pty</Command>
		<p>A program can send something, too:</p>
		<Command>{`sighub send door opened '{"by": "anna"}'`}</Command>
		{ports && <p><a href="#/ports">{ports.length === 0 ? "The hub has no serial port: sighub run --serial auto takes every USB adapter." : `The hub looks at ${several(ports.length, "port")}; see how they are.`}</a></p>}
	</Empty>;
}
