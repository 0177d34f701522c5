// The journal: what the hub keeps, for how long, and whether it can.

import {Fragment, h} from "preact";
import {Asking, Command, Empty, Name, Pill, usePolled} from "../parts.jsx";
import {age, bytes, clock, group, harmless, several} from "../text.js";
import {now} from "../time.js";

async function ask(hub) {
	const info = await hub.call("journal");
	return {info, cursors: info.folder ? await hub.call("list_cursors") : []};
}

export function Journal({hub}) {
	const {value, error} = usePolled(hub, () => ask(hub), 3000);
	if (!value) return <Asking title="Journal" error={error} />;
	const {info: i, cursors} = value;
	if (!i.folder) {
		return i.error ? <><h1>Journal</h1><p class="doctor bad">Nothing is kept: {harmless(i.error)}. Choose another folder with <code>sighub run --journal DIR</code>.</p></>
			: <Empty title="The hub keeps no journal"><p>What it acknowledges was handed on, and charts begin when this page is opened. To keep what happens, start it with a folder:</p><Command>sighub run --journal /var/lib/sighub/journal</Command></Empty>;
	}
	const events = i.first && i.next ? i.next[1] - i.first[1] : 0;
	const facts = [
		["on record", several(events, "event")],
		["size", i.size ? `${bytes(i.bytes || 0)} of ${bytes(i.size)}` : bytes(i.bytes || 0)],
		["room", room(i)],
		["from", i.oldest && clock(Date.parse(i.oldest))],
		["to", i.newest && clock(Date.parse(i.newest))],
		["keeps", i.keeps && `${harmless(i.keeps, 80)}; age: ${harmless(i.max_age || "any", 20)}`],
		["acknowledges", i.ack && `at ${harmless(i.ack, 20)}; if the disk fails: ${harmless(i.on_failure, 20)}`],
		["lost", i.lost ? <span class="warn">{several(i.lost, "event")} that could not be written</span> : "nothing"],
		["folder", <Name most={200}>{i.folder}</Name>],
	].filter(([, v]) => v);
	return <>
		<div class="bar"><h1>Journal</h1>{i.error ? <Pill kind="bad">cannot write</Pill> : <Pill kind="good">all is kept</Pill>}</div>
		{i.error && <p class="doctor bad">The hub cannot write its journal{i.since && ` for ${age(now() - Date.parse(i.since))}`}: {harmless(i.error)}. {i.on_failure === "hold" ? "It acknowledges nothing until it can." : "Make room on the disk."}</p>}
		{i.size > 0 && <meter min="0" max={i.size} value={i.bytes || 0} aria-label="how full the journal is">{Math.round((i.bytes || 0) / i.size * 100)} %</meter>}
		<dl class="facts grid big">{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
		<section class="panel"><header><h2>Cursors</h2></header>
			{cursors.length === 0 ? <p class="muted">Nobody has a cursor. <code>sighub listen --cursor NAME</code> makes one.</p>
				: <table class="list stack"><thead><tr><th>cursor</th><th class="n">behind</th><th>position</th><th>listener</th></tr></thead><tbody>
					{cursors.map((c) => <tr key={c.cursor}><td data-name="cursor"><b><Name>{c.cursor}</Name></b></td><td class="n" data-name="behind">{group(c.behind)}</td><td data-name="position">{c.position.join("/")}</td><td data-name="listener">{c.client ? <Name>{c.client.name || c.client.addr}</Name> : <span class="muted">none now</span>}</td></tr>)}
				</tbody></table>}
		</section>
		<Command>sighub journal info</Command>
	</>;
}

// room says for how long the journal lasts at the rate at which it grew.
function room(i) {
	const span = i.oldest && i.newest ? Date.parse(i.newest) - Date.parse(i.oldest) : 0;
	if (!i.size || !i.bytes || span < 60000) return "";
	const left = (i.size - i.bytes) / i.bytes * span;
	if (left <= i.size / 50 / i.bytes * span) return `full: it holds the latest ${age(span)}, the oldest make way`;
	return left > 3650 * 86400000 ? "for years" : `for ${age(left)} more at this rate; then the oldest make way`;
}
