// The ledger of losses: for each sender, what was lost on the way from the device to this page, when, and why.

import {Fragment, h} from "preact";
import {useEffect, useMemo, useState} from "preact/hooks";
import {Command, Name, Pill, Trouble, useChanges, usePolled, useTick} from "../parts.jsx";
import {ago, clock, group, several} from "../text.js";
import {now} from "../time.js";

const spans = [["since the page was opened", null], ["1 h", "1h"], ["24 h", "1d"], ["7 d", "7d"], ["all on record", "start"]];

// mostLosses is how many losses of the past are kept, of all senders; all are counted.
const mostLosses = 2000;

const why = {
	"": "the device had no room, or was reset", slow: "a listener did not keep up", refused: "a listener refused them", failed: "the sensor failed",
	journal: "the journal has them no more", value: "not a value that can be passed on", time: "the time was not plausible", limit: "more than a client may have",
	busy: "the hub could hold no more", size: "too large", several: "several causes", denied: "not allowed",
};

// useLedger sums up losses: of the past, from the journal, and what happens.
function useLedger(hub, from) {
	const [state, set] = useState({rows: new Map(), list: []});
	useEffect(() => {
		if (from === null || hub.link.state.phase !== "open") return;
		let id, ended = false, timer;
		const rows = new Map(), list = [];
		const show = () => { timer ??= setTimeout(() => { timer = undefined; if (!ended) set({rows, list: list.slice(), read: true}); }, 200); };
		const hear = ({sender, data, time}) => {
			if (!data) return;
			const loss = {sender, count: data.count || 0, unknown: !data.count, first: Date.parse(data.first || time), last: Date.parse(data.last || time), cause: data.cause || "", event: data.event};
			let row = rows.get(sender);
			if (!row) rows.set(sender, row = {lost: 0, gaps: 0, causes: new Map(), last: null});
			row.lost += loss.count;
			row.gaps++;
			row.causes.set(loss.cause, (row.causes.get(loss.cause) || 0) + loss.count);
			row.last = loss;
			list.push(loss);
			if (list.length > mostLosses) list.shift();
			show();
		};
		hub.call("add_listener", {sender: null, event: "#gap", from}, undefined, (answer) => {
			id = answer.listener_id;
			if (ended) hub.call("remove_listener", {listener_id: id}).catch(() => {});
			else hub.lossListeners.set(id, hear), show();
		}).catch((err) => !ended && set({rows, list, error: err.message}));
		set({rows, list: []});
		return () => {
			ended = true;
			clearTimeout(timer);
			if (id === undefined) return;
			hub.lossListeners.delete(id);
			hub.call("remove_listener", {listener_id: id}).catch(() => {});
		};
	}, [hub, from, hub.link.state.phase]);
	return state;
}

export function Losses({hub}) {
	useChanges(hub);
	const [chosen, setFrom] = useState();
	const from = chosen === undefined ? hub.journal ? "1d" : null : chosen;
	const past = useLedger(hub, from);
	const {value: journal} = usePolled(hub, async () => hub.may("admin") ? hub.call("journal") : null, 5000);
	useTick(() => hub.heard + " " + hub.skipped, 4);
	const rows = useMemo(() => {
		const all = [];
		for (const s of hub.senders.values()) {
			const p = past.rows.get(s.name), live = s.losses;
			const causes = p ? p.causes : from !== null ? new Map() : live.reduce((m, l) => m.set(l.cause, (m.get(l.cause) || 0) + (l.count || 0)), new Map());
			all.push({name: s.name, connected: s.connected, seq: s.seq, lost: p ? p.lost : from === null ? s.lost : 0, gaps: p ? p.gaps : from === null ? live.length : 0, causes, last: p ? p.last : live.at(-1), refused: s.refused});
		}
		for (const [name, p] of past.rows) if (!hub.senders.has(name)) all.push({name: name || "(any sender)", connected: false, seq: 0, lost: p.lost, gaps: p.gaps, causes: p.causes, last: p.last});
		return all.sort((a, b) => b.lost - a.lost || b.gaps - a.gaps || (a.name < b.name ? -1 : 1));
	}, [past, hub.version, from]);
	const lost = rows.reduce((n, r) => n + r.lost, 0);
	const onRecord = from === "start" && journal && journal.first ? journal.next[1] - journal.first[1] : null;
	const list = (from === null ? rows.flatMap((r) => hub.senders.get(r.name)?.losses ?? []) : past.list).slice().sort((a, b) => b.last - a.last);
	return <>
		<div class="bar"><h1>Losses</h1></div>
		<div class="ranges" role="group" aria-label="the time that the ledger covers">
			{spans.filter(([, f]) => f === null || hub.journal).map(([name, f]) => <button type="button" key={name} aria-pressed={f === from} onClick={() => setFrom(f)}>{name}</button>)}
		</div>
		{from !== null && !past.read && !past.error ? <p class="ledger muted">reading the journal…</p> : <p class={"ledger " + (lost === 0 ? "good" : "bad")}><b class="lostcount">{group(lost)}</b> {onRecord !== null ? <>of <b>{group(onRecord)}</b> events on record</> : from === null ? <>of <b>{group(hub.heard)}</b> events</> : <>events</>} lost{from === null && " since the page was opened"}{from !== null && from !== "start" && " in " + spans.find(([, f]) => f === from)[0]}</p>}
		<p class="muted">On the way to this page, {hub.skipped === 0 ? "nothing was left out." : <><b class="skipped">{group(hub.skipped)}</b> values were left out, because newer ones of the same event were there. The journal has them, and so have other listeners.</>}</p>
		<Trouble error={past.error} />
		<div class="scroll"><table class="list stack"><thead><tr><th>sender</th><th class="n">events, this connection</th><th class="n">lost</th><th>why</th><th>the latest</th></tr></thead><tbody>
			{rows.slice(0, 500).map((r) => <tr key={r.name}>
				<td data-name="sender"><Name>{r.name}</Name>{!r.connected && <> <Pill kind="off">not connected</Pill></>}</td>
				<td class="n" data-name="events">{r.seq ? group(r.seq) : "–"}</td>
				<td class="n" data-name="lost">{r.lost > 0 || r.gaps > 0 ? <b class="warn">{r.lost > 0 ? group(r.lost) : "unknown"}</b> : "0"}</td>
				<td data-name="why">{[...r.causes].map(([c, n]) => <span key={c} class="cause">{n > 0 && group(n) + " "}<Name most={30}>{c || "device"}</Name>{why[c] && <span class="muted"> {why[c]}</span>}</span>)}</td>
				<td data-name="the latest">{r.last && <>{clock(r.last.first)} to {clock(r.last.last)}</>}</td>
			</tr>)}
		</tbody></table></div>
		{rows.length > 500 && <p class="muted">and {several(rows.length - 500, "sender")} that lost nothing more</p>}
		{list.length > 0 && <section class="panel"><header><h2>Each loss</h2></header><div class="scroll"><table class="list stack"><thead><tr><th>sender</th><th>event</th><th class="n">count</th><th>from</th><th>to</th><th>cause</th></tr></thead><tbody>
			{list.slice(0, 100).map((l, i) => <tr key={i}><td data-name="sender"><Name>{l.sender}</Name></td><td data-name="event">{l.event ? <Name>{l.event}</Name> : <span class="muted">any</span>}</td><td class="n" data-name="count">{l.count ? group(l.count) : "unknown"}</td><td data-name="from">{clock(l.first)}</td><td data-name="to">{clock(l.last)} <span class="muted">{ago(now() - l.last)}</span></td><td data-name="cause"><Name>{l.cause || "device"}</Name></td></tr>)}
		</tbody></table></div>{list.length > 100 && <p class="muted">and {several(list.length - 100, "loss").replace(/losss$/, "losses")} before</p>}</section>}
		<Command>{`sighub listen '*' '#gap'${from && from !== null ? " --from " + from : ""}`}</Command>
	</>;
}
