// The hub's log: the latest lines, by level, of everything or of one device.

import {Fragment, h} from "preact";
import {useState} from "preact/hooks";
import {Asking, Command, Pill, Trouble, usePolled} from "../parts.jsx";
import {clock, harmless} from "../text.js";

const levels = [["info", "all"], ["warn", "warnings"], ["error", "errors"]];
const kinds = {warn: "note", error: "bad"};

// useLog asks for the lines of a level: about whom the texts of about name, that have the words of find.
function useLog(hub, about, find) {
	const [level, setLevel] = useState("info");
	const {value: lines, error} = usePolled(hub, async () => hub.may("admin") ? hub.call("list_log", {level: level === "info" ? "debug" : level, about, find}) : [], 3000, level + find);
	const choice = <div class="ranges" role="group" aria-label="the least level">{levels.map(([l, name]) => <button type="button" key={l} aria-pressed={l === level} onClick={() => setLevel(l)}>{name}</button>)}</div>;
	return {lines, error, choice};
}

const textOf = (l) => Object.entries(l.attrs || {}).map(([k, v]) => `${k}=${harmless(v, 300)}`).join("  ");

function Lines({lines}) {
	return <table class="list log"><tbody>{lines.map((l, i) => <tr key={i}>
		<td class="age"><time dateTime={l.time}>{clock(Date.parse(l.time))}</time></td>
		<td><Pill kind={kinds[l.level] || "off"}>{l.level}</Pill></td>
		<td>{harmless(l.message, 400)} <span class="muted"><bdi>{textOf(l)}</bdi></span></td>
	</tr>)}</tbody></table>;
}

export function Log({hub}) {
	const [filter, setFilter] = useState("");
	const {lines, error, choice} = useLog(hub, undefined, filter);
	if (!lines) return <Asking title="Log" error={error} />;
	return <>
		<div class="bar"><h1>Log</h1><p class="summary">the latest lines of the hub's log, the newest first</p><input type="search" placeholder="Filter" aria-label="Filter lines" value={filter} onInput={(e) => setFilter(e.target.value)} /></div>
		{choice}<Trouble error={error} />
		<div class="scroll">{lines.length > 0 ? <Lines lines={lines} /> : <p class="muted">No such line.</p>}</div>
		<Command>journalctl -u sighub -f</Command>
	</>;
}

// LogOf shows the lines about a device: its own, its port's, and its senders'.
export function LogOf({hub, device}) {
	const c = device.client || {};
	const about = [c.uid, c.name, c.addr, c.addr?.replace(/^\w+:\/\//, ""), ...device.senders.map((s) => s.name)].filter(Boolean).slice(0, 64);
	const {lines, error, choice} = useLog(hub, about);
	if (!hub.may("admin")) return null;
	return <section class="panel"><header><h2>Its log</h2>{choice}</header><Trouble error={error} />
		{lines && (lines.length > 0 ? <div class="entries"><Lines lines={lines} /></div> : <p class="muted">The hub's log has no such line of it.</p>)}</section>;
}
