// The thresholds and other alarms: events whose name begins with #, as the hub tells them.

import {Fragment, h} from "preact";
import {Command, Empty, Name, Pill, route, Since, Trouble, useChanges, usePolled, useTick, Value} from "../parts.jsx";
import {deviceOf} from "../hub.js";
import {number, several} from "../text.js";

export function Thresholds({hub}) {
	useChanges(hub);
	const {value: limits} = usePolled(hub, async () => hub.may("admin") ? hub.call("list_thresholds") : [], 60000);
	const limit = (t) => (limits || []).find((l) => l.as === t.sender.name && l.report === t.event);
	const watched = (l) => hub.senders.get(l.sender)?.topics.get(l.event);
	const list = [...hub.senders.values()].flatMap((s) => [...s.topics.values()]).filter((t) => t.event.startsWith("#"));
	useTick(() => list.reduce((n, t) => n + t.version, 0));
	if (list.length === 0) {
		return <Empty title="No threshold has reported yet"><p>A threshold reports when a reading crosses a limit. Add some to the configuration of the hub, and start it again:</p>
			<pre>{`thresholds:\n  - {sender: light, event: lux, below: 10, until: 15, report: "#dark"}`}</pre><p>Check the file first:</p><Command>sighub check sighub.yaml</Command></Empty>;
	}
	const on = list.filter((t) => t.data === true && t.sender.connected);
	list.sort((a, b) => (b.data === true) - (a.data === true) || (a.sender.name < b.sender.name ? -1 : 1));
	return <>
		<div class="bar"><h1>Thresholds</h1><p class="summary">{on.length === 0 ? "none is crossed" : <b class="bad">{several(on.length, "threshold")} crossed</b>}</p></div>
		<div class="scroll"><table class="list stack"><thead><tr><th>threshold</th><th>state</th><th>since</th><th>limit</th><th>now</th></tr></thead><tbody>
			{list.map((t) => [t, limit(t)]).map(([t, l]) => <tr key={t.sender.name + "\n" + t.event}>
				<td data-name="threshold"><a href={route("device", deviceOf(t.sender), t.sender.name, t.event)}><b><Name>{t.event}</Name></b></a></td>
				<td data-name="state">{!t.sender.connected ? <Pill kind="off">unknown: its sender is away</Pill> : t.data === true ? <Pill kind="bad">crossed</Pill> : t.data === false ? <Pill kind="good">not crossed</Pill> : t.time ? <Value topic={t} /> : <Pill kind="off">nothing heard yet</Pill>}</td>
				<td data-name="since">{t.sender.connected && <Since t={t.since} />}</td>
				<td data-name="limit">{l ? <><Name>{l.sender}</Name> <Name>{l.event}</Name> {l.above !== undefined ? "above " + number(l.above) : "below " + number(l.below)}<span class="muted"> until {number(l.until)}</span></> : <Name>{t.sender.name}</Name>}</td>
				<td data-name="now">{l && watched(l) && <Value topic={watched(l)} />}</td>
			</tr>)}
		</tbody></table></div>
		<Command>{`sighub listen '*' '#*'`}</Command>
	</>;
}
