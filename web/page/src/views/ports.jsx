// The serial ports, each with a sentence that says what to do.

import {useRef} from "preact/hooks";
import {diagnose} from "../doctor.js";
import {Command, Empty, Name, Pill, route, Since, Trouble, usePolled} from "../parts.jsx";
import {age, ago, bytes, clock, counts, group, harmless, several} from "../text.js";
import {now} from "../time.js";

const pollEvery = 2000, samples = 150;

const kinds = {connected: "good", waiting: "note", opening: "note", silent: "bad", failed: "bad", absent: "off", left: "off"};

export function Ports({hub}) {
	const {value: ports, error} = usePolled(hub, () => hub.call("list_ports"), pollEvery);
	if (error && !ports) return <><h1>Ports</h1><Trouble error={error} /></>;
	if (!ports) return <><h1>Ports</h1><p class="muted">asking the hub…</p></>;
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
export function Line({port: p}) {
	const seen = useRef([]), list = seen.current, d = p.device;
	if (list.at(-1) !== p) {
		if (list.length > 0 && p.frames < list.at(-1).frames) list.length = 0; // counted anew
		list.push(Object.assign(p, {at: now()}));
		if (list.length > samples) list.shift();
	}
	const says = diagnose(p, list.length > 1 ? list[0] : undefined, now());
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
		<p class={"doctor " + says.level}>{says.text}</p>
		{(p.problems || []).slice(1).map((x, i) => <p class="doctor bad" key={i}>{harmless(x.what)}: {x.remedy}</p>)}
		<dl class="facts grid">{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
		{list.length > 2 && d && <div class="linkhistory">
			<Steps name="bad frames" list={rates(list, (x) => x.bad_frames)} unit="/s" at={list} />
			<Steps name="resent" list={rates(list, (x) => x.device ? x.device.resent + x.device.repeated : 0)} unit="/s" at={list} />
			<Steps name="round trip" list={list.slice(1).map((x) => x.device && x.device.round_trip_ms || 0)} unit=" ms" at={list} />
			<p class="muted">in the {age(now() - list[0].at)} since this page has been looking</p>
		</div>}
		{p.prints && <p class="muted">It printed, {ago(now() - Date.parse(p.prints_at))}: <code>{harmless(p.prints, 160)}</code></p>}
		{p.error && p.state !== "connected" && <p class="muted">The last error, at {clock(Date.parse(p.error_at))}: {harmless(p.error)}</p>}
	</>;
}

const rates = (list, count) => list.slice(1).map((x, i) => Math.max(count(x) - count(list[i]), 0) / (pollEvery / 1000));

// Steps draws how something has changed.
function Steps({name, list, unit}) {
	const high = Math.max(...list, 1e-9), w = 120 / samples;
	const path = list.map((v, i) => `M${(120 - (list.length - i) * w).toFixed(1)} 20V${(20 - v / high * 18).toFixed(1)}`).join("");
	const most = Math.max(...list);
	return <figure><figcaption>{name} <b>{most === 0 ? "none" : `${most < 10 ? most.toFixed(1) : Math.round(most)}${unit} at most`}</b></figcaption><svg viewBox="0 0 120 21" preserveAspectRatio="none" aria-hidden="true"><path d={path} /></svg></figure>;
}
