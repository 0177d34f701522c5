// The bridges: where the events go on to, whether they get there, and what to do if not.

import {Fragment, h} from "preact";
import {Asking, Command, Empty, Name, Pill, route, Since, usePolled} from "../parts.jsx";
import {age, clock, group, harmless, several} from "../text.js";
import {now} from "../time.js";

// soon is how long a connection may take, and a backlog, until somebody should look; ms.
const soon = 5000;

// state returns {level, text} of a bridge: how it is, and what to do.
function state(b) {
	const waits = b.lag > 0 ? ` ${several(b.lag, "event")} wait${b.lag === 1 ? "s" : ""}${b.oldest ? ", the oldest for " + age(now() - Date.parse(b.oldest)) : ""}${b.hours_left !== undefined ? `; the journal keeps them for ${age(b.hours_left * 3600000)} more` : ""}.` : " Nothing waits.";
	const wrong = b.error && `${harmless(b.error, 300)}${b.remedy ? ": " + harmless(b.remedy, 300) : ""}.`;
	if (!b.connected) return {level: wrong || now() - Date.parse(b.since) > soon ? "bad" : "note", text: (wrong || "No connection yet.") + waits};
	if (wrong) return {level: "note", text: wrong + waits};
	if (b.lag > 0 && b.oldest && now() - Date.parse(b.oldest) > soon) return {level: "note", text: "It catches up:" + waits};
	return {level: "good", text: `All is passed on: ${several(b.sent, "event")} since the hub was started.`};
}

const ask = (hub) => hub.call("bridges");

export function Bridges({hub}) {
	const {value: list, error} = usePolled(hub, () => ask(hub), 2000);
	if (!list) return <Asking title="Bridges" error={error} />;
	if (list.length === 0) {
		return <Empty title="The hub has no bridge"><p>A bridge passes all events on, to an MQTT broker such as that of Home Assistant, and loses none while that is away. Write it into the configuration, and start the hub again:</p>
			<pre>{"bridges:\n  mqtt: mqtt://broker.example"}</pre><p>To a stream of many hubs:</p><Command>sighub run --join nats://server.example</Command></Empty>;
	}
	const away = list.filter((b) => !b.connected).length;
	return <>
		<div class="bar"><h1>Bridges</h1><p class="summary">{several(list.length - away, "bridge")} connected{away > 0 && <>, <b class="bad">{away} not</b></>}</p></div>
		<div class="cards wide">{list.map((b) => {
			const says = state(b), facts = [
				["to", <Name>{b.where}</Name>], ["kind", b.kind], ["passed on", group(b.sent)], ["waiting", group(b.lag)],
				["refused there", b.refused > 0 ? <span class="warn">{group(b.refused)}</span> : "0"],
				["lost", b.lost > 0 ? <span class="warn">{group(b.lost)}</span> : "0"],
				b.error_at && ["the latest error", clock(Date.parse(b.error_at))],
			];
			return <article class="card" key={b.name}>
				<header><h3><Name>{b.name}</Name></h3><Connected bridge={b} /></header>
				<p class={"doctor " + says.level}>{says.text}</p>
				<dl class="facts grid">{facts.map((f) => f && <div key={f[0]}><dt>{f[0]}</dt><dd>{f[1]}</dd></div>)}</dl>
			</article>;
		})}</div>
		<Command>sighub bridges</Command>
	</>;
}

function Connected({bridge: b}) {
	return <Pill kind={b.connected ? "good" : "bad"}>{b.connected ? "" : "not "}connected for <Since t={Date.parse(b.since)} /></Pill>;
}

// BridgesAway tells of those that are not connected, where people look first.
export function BridgesAway({hub}) {
	const {value: list} = usePolled(hub, async () => hub.may("admin") ? ask(hub) : [], 5000);
	return (list || []).filter((b) => !b.connected && state(b).level === "bad").map((b) => <p class="doctor bad" role="status" key={b.name}>
		<a href={route("bridges")}>The bridge <Name>{b.name}</Name></a> is not connected for <Since t={Date.parse(b.since)} />. {state(b).text}
	</p>);
}
