// A device: what it measures now and has measured, its line, its losses, and what can be asked of it.

import {Fragment, h} from "preact";
import {useEffect, useMemo, useState} from "preact/hooks";
import {Chart} from "../chart.jsx";
import {deviceOf} from "../hub.js";
import {LogOf} from "./log.jsx";
import {Line} from "./ports.jsx";
import {Requests} from "./request.jsx";
import {devices, shortName, State} from "./overview.jsx";
import {Command, Name, route, useChanges, usePolled, useSeen, useTick, Value} from "../parts.jsx";
import {age, ago, clock, command, harmless, several} from "../text.js";
import {now} from "../time.js";
import {past} from "../past.js";
import {numberOf} from "../series.js";

const minute = 60000, day = 1440 * minute;
const spans = [["5 min", 5 * minute], ["15 min", 15 * minute], ["1 h", 60 * minute], ["6 h", 360 * minute], ["24 h", day], ["7 d", 7 * day], ["30 d", 30 * day], ["1 y", 365 * day]];

export function Device({hub, args: [key, senderName, event]}) {
	useChanges(hub);
	const device = useMemo(() => devices(hub).find((d) => d.key === key), [hub.version, key]);
	const [win, setWin] = useState({span: 15 * minute, to: Infinity});
	const [before, setBefore] = useState([]);
	const zoom = (from, to) => {
		to = Math.min(to, now());
		if (to - from < 2000) return;
		setBefore((b) => [...b.slice(-20), win]);
		setWin({from, to, span: to - from});
	};
	if (!device) {
		return <><h1>Device</h1><p class="muted">{hub.listedOnce ? "The hub knows no such device." : "asking the hub…"}</p><p><a href="#/">All devices</a></p></>;
	}
	const only = device.senders.find((s) => s.name === senderName);
	const topics = only && event ? [only.topics.get(event)].filter(Boolean) : device.senders.flatMap((s) => [...s.topics.values()]);
	const uid = device.client && device.client.uid;
	return <>
		<div class="bar">
			<h1>{only ? <a href={route("device", key)}><Name>{device.name}</Name></a> : <Name>{device.name}</Name>}{only && <span class="crumb"><Name>{shortName(device, only)}</Name> <Name>{event || ""}</Name></span>}</h1>
			<State device={device} />
		</div>
		<p class="facts">{uid && <span>uid <code>{harmless(uid, 80)}</code></span>}{device.client && device.client.addr && <span>at <Name>{device.client.addr}</Name></span>}<span>{several(device.senders.length, "sender")}</span></p>
		<div class="ranges" role="group" aria-label="the time that the charts show">
			{spans.map(([name, span]) => <button type="button" key={name} aria-pressed={win.to === Infinity && win.span === span} onClick={() => { setBefore([]); setWin({span, to: Infinity}); }}>{name}</button>)}
			{before.length > 0 && <button type="button" onClick={() => { setWin(before.at(-1)); setBefore(before.slice(0, -1)); }}>back</button>}
			{win.to !== Infinity && <span class="muted">{clock(win.from)} to {clock(win.to)}</span>}
			<span class="muted hint">drag in a chart to zoom; with the keys + − ← →</span>
		</div>
		{topics.map((t) => <Panel key={t.sender.name + "\n" + t.event} hub={hub} device={device} topic={t} win={win} zoom={zoom} tall={Boolean(only && event)} />)}
		{topics.length === 0 && <p class="muted">It has no events.</p>}
		<LinkOf hub={hub} device={device} />
		{hub.may("request") && <Requests hub={hub} senders={only ? [only] : device.senders} />}
		<Losses senders={only ? [only] : device.senders} />
		<LogOf hub={hub} device={device} />
	</>;
}

function Panel({hub, device, topic, win, zoom, tall}) {
	const [ref, seen] = useSeen();
	const [was, setWas] = useState(false);
	if (seen.current && !was) setTimeout(() => setWas(true), 0);
	useTick(() => `${topic.version} ${topic.time ? age(now() - topic.time) : ""} ${seen.current}`);
	const known = topic.data !== undefined, numeric = numberOf(topic.data) !== undefined;
	return <section class="panel" ref={ref}>
		<header>
			<h2><a href={route("device", device.key, topic.sender.name, topic.event)}><Name most={60}>{shortName(device, topic.sender)}</Name> <span class="event"><Name most={60}>{topic.event}</Name></span></a></h2>
			<Value topic={topic} /><span class="age">{topic.time ? ago(now() - topic.time) : "never heard"}</span>
			{topic.lateBy > 0 && <span class="late">arrived {age(topic.lateBy)} late</span>}
		</header>
		{!was ? <div class="chart waiting" /> : <>
			{(!known || numeric || topic.unit || topic.recent.length > 0) && <Curve hub={hub} topic={topic} win={win} zoom={zoom} height={tall ? 320 : 170} />}
			{known && !numeric && <Entries hub={hub} topic={topic} win={win} />}
		</>}
		{tall && <Command>{command("history --from " + (win.to !== Infinity ? new Date(win.from).toISOString() : win.span >= day ? Math.round(win.span / day) + "d" : Math.round(win.span / minute) + "m"), topic.sender.name, topic.event)}</Command>}
	</section>;
}

function Curve({hub, topic, win, zoom, height}) {
	const marks = useMarks(hub, topic.sender, win);
	return <>
		<Chart hub={hub} topic={topic} win={win} onZoom={zoom} marks={marks} height={height} />
		{marks.some((m) => m.kind === "lost") && <p class="legend"><i class="swatch lost" /> events lost: {marks.filter((m) => m.kind === "lost").slice(-3).map((m) => <span key={m.from}>{m.count || "an unknown number"} from {clock(m.from)} to {clock(m.to)}{m.cause && ` (${harmless(m.cause, 30)})`}</span>)}</p>}
		{marks.some((m) => m.kind === "away") && <p class="legend"><i class="swatch away" /> {marks.filter((m) => m.kind === "away").slice(-1).map((m) => <span key="r">{m.to === Infinity ? <>away since {clock(m.from)}</> : <>away from {clock(m.from)} to {clock(m.to)}</>}{m.reason && <>: <Name most={60}>{m.reason}</Name></>}</span>)}</p>}
	</>;
}

// useMarks returns when a sender was away and what it lost, as the journal and this page know it.
function useMarks(hub, sender, win) {
	const [old, setOld] = useState([]);
	useEffect(() => {
		if (!hub.turn || hub.journal === null) return;
		let stopped = false;
		const from = win.to === Infinity ? now() - win.span : win.from;
		past(hub, sender.name, from, win.to, () => stopped).then((list) => !stopped && setOld(list), () => {});
		return () => { stopped = true; };
	}, [hub, sender, win.from, win.to, win.span, hub.turn, sender.since, sender.losses.length]);
	return useMemo(() => {
		const list = [...old];
		if (!sender.connected && sender.since && !old.some((m) => m.kind === "away" && m.to === Infinity)) {
			list.push({kind: "away", from: sender.since, to: Infinity, reason: sender.reason});
		}
		for (const l of sender.losses) {
			if (!old.some((m) => m.kind === "lost" && m.from === l.first && m.to === l.last)) list.push({kind: "lost", from: l.first, to: l.last, count: l.count, cause: l.cause});
		}
		return list;
	}, [old, sender.connected, sender.since, sender.losses.length]);
}

// Entries lists the latest events of a topic whose data are no numbers.
function Entries({hub, topic, win}) {
	const [list, setList] = useState(null);
	const [trouble, setTrouble] = useState("");
	useEffect(() => {
		if (hub.journal === null || hub.link.state.phase !== "open") return;
		let stopped = false;
		(async () => {
			const from = win.to === Infinity ? now() - win.span : win.from, found = [];
			for (let after, page = 0; page < 30 && !stopped; page++) {
				const answer = await hub.call("history", {sender: topic.sender.name, event: topic.event, ...(after ? {after} : {from: new Date(from).toISOString()}), ...(win.to !== Infinity && {to: new Date(win.to).toISOString()})});
				for (const {info, data} of answer.events || []) if (info.event === topic.event) found.push({t: Date.parse(info.time), text: harmless(typeof data === "string" ? data : JSON.stringify(data), 300)});
				if (found.length > 200) found.splice(0, found.length - 200);
				after = answer.next;
				if (!after) break;
			}
			if (!stopped) setList(found.reverse());
		})().catch((err) => !stopped && setTrouble(err.message));
		return () => { stopped = true; };
	}, [hub, topic, win.from, win.to, win.span, hub.link.state.phase, Math.floor(topic.time / 5000)]);
	const shown = list || (topic.time ? [{t: topic.time, text: harmless(typeof topic.data === "string" ? topic.data : JSON.stringify(topic.data), 300)}] : []);
	return <div class="entries">{trouble && <p class="trouble">{harmless(trouble)}</p>}
		<table><tbody>{shown.slice(0, 50).map((e, i) => <tr key={i}><td class="age">{clock(e.t)}</td><td><bdi>{e.text}</bdi></td></tr>)}</tbody></table>
		{shown.length > 50 && <p class="muted">and {shown.length - 50} before</p>}
	</div>;
}

// LinkOf shows the serial line of a device.
function LinkOf({hub, device}) {
	const {value: ports} = usePolled(hub, async () => hub.may("admin") ? hub.call("list_ports") : [], 2000);
	const uid = device.client && device.client.uid;
	const port = (ports || []).find((p) => p.device && uid && p.device.uid === uid);
	return port ? <section class="panel"><header><h2>Its line</h2></header><Line hub={hub} port={port} /></section> : null;
}

function Losses({senders}) {
	const all = senders.flatMap((s) => s.losses).sort((a, b) => b.time - a.time);
	if (all.length === 0) return null;
	return <section class="panel"><header><h2>What it has lost</h2></header><table class="list"><thead><tr><th>sender</th><th>events</th><th>from</th><th>to</th><th>cause</th></tr></thead><tbody>
		{all.slice(0, 20).map((l, i) => <tr key={i}><td><Name>{l.sender}</Name></td><td>{l.count || "unknown"}</td><td>{clock(l.first)}</td><td>{clock(l.last)}</td><td><Name>{l.cause || "lost in the device"}</Name></td></tr>)}
	</tbody></table></section>;
}
