// The serial ports, each with a sentence that says what to do.

import {Fragment, h} from "preact";
import {useRef, useState} from "preact/hooks";
import {diagnose} from "../doctor.js";
import {Asking, Command, Empty, Name, Pill, route, Since, usePolled} from "../parts.jsx";
import {ago, clock, command, counts, group, harmless, several} from "../text.js";
import {now} from "../time.js";

const pollEvery = 2000, samples = 150;

const kinds = {connected: "good", waiting: "note", opening: "note", silent: "bad", failed: "bad", absent: "off", left: "off"};

export function Ports({hub}) {
	const {value: ports, error} = usePolled(hub, () => hub.call("list_ports"), pollEvery);
	if (!ports) return <Asking title="Ports" error={error} />;
	if (ports.length === 0) {
		return <Empty title="The hub has no serial port"><p>Plug in a USB adapter: with <code>--serial auto</code> it is found by itself. Or let a device be simulated:</p><Command>sighub simulate --pty</Command></Empty>;
	}
	return <>
		<div class="bar"><h1>Ports</h1><p class="summary">{several(ports.filter((p) => p.state === "connected").length, "device")} on {several(ports.length, "port")}</p></div>
		<div class="cards wide">{ports.map((p) => <article class="card" key={p.port}>
			<header><h3><Name>{p.port}</Name></h3><Pill kind={kinds[p.state] || "off"}>{p.state} for <Since t={Date.parse(p.since)} /></Pill></header>
			<Line hub={hub} port={p} />
		</article>)}</div>
		<Command>sighub ports --watch</Command>
	</>;
}

// Line shows how a port's line is.
export function Line({hub, port: p}) {
	const {value: past} = usePolled(hub, () => hub.call("port_history", {port: p.port}), 30000);
	const seen = useRef([]), list = seen.current, d = p.device;
	if (list.at(-1) !== p) {
		if (list.length > 0 && p.frames < list.at(-1).frames) list.length = 0; // counted anew
		list.push(Object.assign(p, {at: now()}));
		if (list.length > samples) list.shift();
	}
	const asks = (p.problems || []).find((x) => x.remedy.includes(entryMark));
	const says = diagnose(p, list.length > 1 ? list[0] : undefined, past, now());
	const facts = [
		["device", d && <a href={route("device", "uid:" + d.uid)}><Name>{d.name}</Name></a>],
		["firmware", d && d.firmware && <Name>{d.firmware}</Name>],
		["readings", d && <>{group(d.readings)}{p.state === "connected" && <span class="unit">{d.readings_per_second >= 10 ? Math.round(d.readings_per_second) : d.readings_per_second.toFixed(1)}/s</span>}</>],
		["baud", p.baud],
		["frames", group(p.frames)],
		["bad frames", <span class={p.bad_frames > 0 ? "warn" : ""}>{group(p.bad_frames)}</span>],
		["resent", d && <span title="by the hub and by the device">{group(d.resent)} + {group(d.repeated)}</span>],
		["round trip", d && d.round_trip_ms && `${d.round_trip_ms.toFixed(1)} ms`],
		["clock", d && d.clock && `±${d.clock.uncertainty_ms.toFixed(1)} ms`],
		["drift", d && d.clock && d.clock.drift_error_ppm <= 50 && `${d.clock.drift_ppm >= 0 ? "+" : "−"}${Math.abs(d.clock.drift_ppm).toFixed(0)} ppm`],
		["refused", d && d.refused && counts(d.refused)],
		["USB", p.usb && <Name>{[p.usb.vendor, p.usb.product].filter(Boolean).join(":") + (p.usb.serial ? " " + p.usb.serial : "")}</Name>],
	].filter(([, v]) => v || v === 0);
	return <>
		{asks ? <Serve port={p} problem={asks} /> : <p class={"doctor " + says.level}>{says.text}</p>}
		{(p.problems || []).slice(1).map((x, i) => <p class="doctor bad" key={i}>{harmless(x.what)}: {x.remedy}</p>)}
		<dl class="facts grid">{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
		{d && <Past samples={past && past.samples.length > 2 ? past.samples : own(list)} />}
		{p.prints && <p class="muted">It printed, {ago(now() - Date.parse(p.prints_at))}: <code>{harmless(p.prints, 160)}</code></p>}
		{p.error && p.state !== "connected" && <p class="muted">The last error, at {clock(Date.parse(p.error_at))}: {harmless(p.error)}</p>}
	</>;
}

// entryMark stands before the entry of the configuration, in what the hub says of a port that prints text.
const entryMark = "write under serial: ";

// Serve says how to serve a port that prints text, with names of one's own.
function Serve({port: p, problem}) {
	const entry = problem.remedy.split(entryMark)[1];
	const found = (entry.match(/columns: \[(.*?)\]/) || ["", ""])[1].split(", ").filter(Boolean);
	const [sender, setSender] = useState(""), [columns, setColumns] = useState([]);
	const plain = (text) => text.replace(/[^\p{L}\p{N}._/ -]/gu, "").trim();
	const names = found.map((c, i) => plain(columns[i] || "") || c);
	const text = entry.replace(/columns: \[.*?\]/, `columns: [${names.join(", ")}]`).replace(/sender: [^}]*}$/, (was) => plain(sender) ? `sender: ${plain(sender)}}` : was);
	return <div class="doctor note">
		<p>{harmless(problem.what, 200)}. To serve it, put this into the configuration, check that, and start the hub again:</p>
		<div class="row"><label>Its name <input value={sender} maxLength="64" placeholder="kitchen" onInput={(e) => setSender(e.target.value)} /></label>
			{found.map((c, i) => <label key={c}>{c} <input size="10" maxLength="64" placeholder="temperature" value={columns[i] || ""} onInput={(e) => setColumns(Object.assign([...columns], {[i]: e.target.value}))} /></label>)}</div>
		<Command>{`serial:\n  - port: auto\n  - ${harmless(text, 600)}`}</Command>
		<p>To see what becomes of each line, while the hub does not use the port: <code>{command("try", p.port)}</code></p>
	</div>;
}

// own returns what this page has seen of a line, as the hub tells what it has.
const own = (list) => list.slice(1).map((x, i) => [x.at / 1000, x.frames - list[i].frames, Math.max(x.bad_frames - list[i].bad_frames, 0), Math.max(again(x) - again(list[i]), 0),
	x.device?.round_trip_ms ?? null, x.device?.clock?.uncertainty_ms ?? null]);

const again = (x) => x.device ? x.device.resent + x.device.repeated : 0;

// Past draws how a line was: samples as the hub has them, one a minute of the latest day, or what this page has seen.
function Past({samples: list}) {
	if (list.length < 2) return null;
	const from = list[0][0] * 1000, count = (n) => `${group(n.reduce((a, b) => a + b, 0))} in all`, most = (n) => `${Math.max(...n).toFixed(1)} ms at most`;
	return <div class="linkhistory">
		{[["damaged", 2, count], ["sent again", 3, count], ["round trip", 4, most], ["clock, ±", 5, most]].map(([name, i, sum]) => {
			const known = list.map((s) => s[i]).filter((v) => v !== null);
			return known.length > 0 && <figure key={name}><figcaption>{name} <b>{Math.max(...known) === 0 ? "none" : sum(known)}</b></figcaption><Bars list={list.map((s) => s[i])} /></figure>;
		})}
		<p class="muted">since {clock(from)}</p>
	</div>;
}

// Bars draws numbers in turn, and the greatest of each few if there are many.
function Bars({list}) {
	const n = Math.min(list.length, 120), bins = Array(n).fill(0);
	list.forEach((v, i) => { const at = Math.floor(i * n / list.length); bins[at] = Math.max(bins[at], v || 0); });
	const high = Math.max(...bins, 1e-9);
	return <svg viewBox={`0 0 ${n} 21`} preserveAspectRatio="none" aria-hidden="true"><path d={bins.map((v, i) => v > 0 ? `M${i}.5 20V${(20 - v / high * 18).toFixed(1)}` : "").join("")} /></svg>;
}
