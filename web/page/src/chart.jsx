// A Chart draws the history of one event: a band from the least to the greatest number, and a line of the means. It goes on with what
// happens, at most ten times a second.

import {Fragment, h} from "preact";
import {useEffect, useRef, useState} from "preact/hooks";
import {Series, load, stepFor} from "./series.js";
import {now} from "./time.js";
import {number, unitName} from "./text.js";

const drawEvery = 100; // ms

let loading;

// plot returns what draws, which is loaded once.
export function plot() {
	loading ??= import("./plot.js").then((m) => m.default);
	loading.catch(() => { loading = undefined; });
	return loading;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// useSeries keeps the series of a topic for a window of time: {from, to} or, if to is Infinity, the latest span.
function useSeries(hub, topic, win) {
	const [state, set] = useState({loading: true});
	const turn = hub.journal === null ? Math.min(hub.turn, 1) : hub.turn; // begin again when something was missed that can be had
	useEffect(() => {
		if (!turn) return;
		let stopped = false;
		const span = win.span, t = now(), live = win.to === Infinity;
		let step = stepFor(span);
		const begin = () => {
			const from = Math.floor((live ? t - span : win.from) / step) * step;
			const s = new Series(step, from, live ? Infinity : win.to);
			s.asked = t;
			return s;
		};
		let series = begin();
		const early = []; // heard while the past is loaded
		let ready = false, summed = -Infinity, after = {connection: 0, seq: -1}; // up to which the past has been loaded
		const isNew = (e) => e.connection > after.connection || e.connection === after.connection && e.seq > after.seq;
		const follow = (time, v, info) => {
			const e = {t: time, v, seq: info.seq || 0, connection: info.connection || 0};
			if (!ready) early.push(e);
			else if (isNew(e)) series.add(e.t, e.v); // what the past has may be told behind it, for the hub gathers events
		};
		if (live) {
			early.push(...topic.recent);
			topic.followers.add(follow);
		}
		set({loading: true});
		(async () => {
			let trouble = "";
			if (hub.journal !== null) {
				try {
					let got = await load((m, p) => hub.call(m, p), series, topic.sender.name, topic.event, () => stopped);
					if (!got.whole && step < 60000) { // more events than a page can read: their sums will do
						step = 60000;
						series = begin();
						got = await load((m, p) => hub.call(m, p), series, topic.sender.name, topic.event, () => stopped);
					}
					summed = got.summed, after = got.position;
				} catch (err) {
					trouble = err.message;
				}
			}
			if (stopped) return;
			for (const e of early) if (e.t >= summed && isNew(e)) series.add(e.t, e.v);
			ready = true;
			try {
				const Plot = await plot();
				if (!stopped) set({series, trouble, Plot});
			} catch {
				if (!stopped) set({trouble: "What draws charts could not be loaded: try again when the hub is reached"});
			}
		})();
		return () => {
			stopped = true;
			topic.followers.delete(follow);
		};
	}, [hub, topic, win.from, win.to, win.span, turn]);
	return state;
}

export function Chart({hub, topic, win, onZoom, marks, height = 180}) {
	const {series, trouble, loading, Plot} = useSeries(hub, topic, win);
	const box = useRef(), drawn = useRef(), shown = useRef({});
	shown.current = {marks, onZoom, win};
	const [cursor, setCursor] = useState(null);

	useEffect(() => {
		if (!series) return;
		const place = box.current, width = () => Math.max(place.clientWidth, 100);
		const u = new Plot(options(width(), height, topic, shown, setCursor), series.columns(), place);
		drawn.current = u;
		const bounds = () => {
			const w = shown.current.win, end = w.to === Infinity ? now() : w.to;
			return {min: (w.to === Infinity ? end - w.span : w.from) / 1000, max: end / 1000};
		};
		let version = -1, drawnAt = 0;
		const draw = (force) => {
			const b = bounds(), moves = shown.current.win.to === Infinity;
			const pixel = (b.max - b.min) * 1000 / u.width;
			if (!force && series.version === version && !(moves && Date.now() - drawnAt > Math.max(pixel, drawEvery))) return;
			version = series.version;
			drawnAt = Date.now();
			if (moves) series.forget(b.min * 1000 - series.step);
			u.setData(series.columns(), false);
			u.setScale("x", b);
		};
		draw(true);
		const timer = setInterval(() => !document.hidden && isNear(place) && draw(), drawEvery);
		const resized = new ResizeObserver(() => u.setSize({width: width(), height}));
		resized.observe(place);
		const themed = () => {
			u.axes.forEach((a) => (a.stroke = () => css("--muted"), a.grid.stroke = () => css("--line")));
			draw(true);
		};
		addEventListener("themed", themed);
		return () => {
			clearInterval(timer);
			resized.disconnect();
			removeEventListener("themed", themed);
			u.destroy();
			drawn.current = null;
		};
	}, [series, height]);

	useEffect(() => drawn.current?.redraw(), [marks]);

	const all = series && series.extremes(), unit = unitName(topic.unit);
	const at = cursor || all;
	return <div class="chart" data-step={series && series.step}>
		<div class="plot" ref={box} role="img" tabIndex={onZoom ? 0 : undefined} onKeyDown={(e) => onZoom && keys(e, win, onZoom)}
			aria-label={all ? `${topic.event}: ${number(all.min)} to ${number(all.max)} ${unit}` : `${topic.event}: nothing yet`} />
		<p class="legend">{loading ? "reading the journal…" : trouble ? trouble : !at ? "no numbers in this time" : <>
			{cursor && <b>{new Date(cursor.t).toLocaleString()}</b>}
			<span>min <b>{number(at.min)}</b></span> <span>mean <b>{number(at.mean)}</b></span> <span>max <b>{number(at.max)}</b></span>
			{unit && <span>{unit}</span>}
			{hub.journal === null && <span>since the page was opened: the hub keeps no journal</span>}
		</>}</p>
	</div>;
}

function isNear(element) {
	const r = element.getBoundingClientRect();
	return r.bottom > -100 && r.top < innerHeight + 100;
}

function keys(e, win, onZoom) {
	const end = win.to === Infinity ? now() : win.to, from = end - win.span, third = win.span / 3;
	const go = {
		ArrowLeft: [from - third, end - third], ArrowRight: [from + third, end + third],
		"+": [from + third / 2, end - third / 2], "-": [from - third, end + third],
	}[e.key === "=" ? "+" : e.key];
	if (!go || e.ctrlKey || e.metaKey || e.altKey) return;
	e.preventDefault();
	onZoom(...go);
}

function options(width, height, topic, shown, setCursor) {
	const line = () => css("--accent"), none = () => "transparent";
	return {
		width, height,
		cursor: {drag: {x: true, y: false, setScale: false}, points: {size: 7}, y: false},
		legend: {show: false},
		padding: [8, 14, 0, 0],
		scales: {x: {time: true, auto: false}, y: {range: yRange}},
		series: [
			{},
			{stroke: line, width: 1.6, spanGaps: false, points: {show: lonely, size: 4, fill: line, stroke: line}},
			{stroke: none, width: 0, spanGaps: false, points: {show: false}},
			{stroke: none, width: 0, spanGaps: false, points: {show: false}},
		],
		bands: [{series: [3, 2], fill: () => css("--band")}],
		axes: [
			{stroke: () => css("--muted"), grid: {stroke: () => css("--line"), width: 1}, ticks: {show: false}, font: "11px system-ui, sans-serif", size: 26, gap: 3,
				space: 70, values: (u, list, axis, space, step) => list.map((t, i) => moment(t, step, i > 0 && list[i - 1]))},
			{stroke: () => css("--muted"), grid: {stroke: () => css("--line"), width: 1}, ticks: {show: false}, font: "11px system-ui, sans-serif", size: axisSize,
				values: (u, list) => list.map((v) => v === null ? "" : number(v))},
		],
		hooks: {
			drawClear: [(u) => drawMarks(u, shown.current.marks)],
			setSelect: [(u) => {
				if (u.select.width < 4) return;
				const from = u.posToVal(u.select.left, "x") * 1000, to = u.posToVal(u.select.left + u.select.width, "x") * 1000;
				u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
				if (shown.current.onZoom) shown.current.onZoom(from, to);
			}],
			setCursor: [(u) => {
				const i = u.cursor.idx, ok = i !== null && i !== undefined && u.data[1][i] !== null && u.data[1][i] !== undefined && u.cursor.left >= 0;
				setCursor(ok ? {t: u.data[0][i] * 1000, mean: u.data[1][i], min: u.data[2][i], max: u.data[3][i]} : null);
			}],
		},
	};
}

const two = (n) => String(n).padStart(2, "0");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// moment writes a time below a chart, whose times are so many seconds apart: the day where a new one begins.
function moment(t, step, before) {
	const d = new Date(t * 1000);
	if (step >= 86400 || before && new Date(before * 1000).getDate() !== d.getDate()) return d.getDate() + " " + months[d.getMonth()];
	const time = two(d.getHours()) + ":" + two(d.getMinutes());
	return step >= 60 ? time : time + ":" + two(d.getSeconds()) + (step < 1 ? "." + Math.floor(d.getMilliseconds() / 100) : "");
}

// lonely shows points where there are few, or where a gap on both sides would hide them.
function lonely(u, i, from, to) {
	const d = u.data[i];
	if (to - from < 40) return true;
	for (let k = from + 1; k < to; k++) if (d[k] !== null && d[k - 1] === null && d[k + 1] === null) return true;
	return false;
}

// widest is what an axis goes to, so that its length is a number.
const widest = 8e307;

// yRange returns where the axis of the numbers ends. Numbers that a float can hardly tell apart are not spread over it: uPlot counts marks
// by additions, which would have no effect, and would never end.
function yRange(u, min, max) {
	if (min === null || max === null) return [0, 1];
	for (const list of [u.data[2], u.data[3]]) {
		for (const v of list) if (v !== null) min = Math.min(min, v), max = Math.max(max, v);
	}
	const size = Math.max(-min, max), span = max - min, pad = span > size * 1e-12 ? span * 0.08 : size * 0.05 || 1;
	return [Math.max(min >= 0 && min - pad < 0 ? 0 : min - pad, -widest), Math.min(max + pad, widest)];
}

function axisSize(u, values) {
	const longest = (values || []).reduce((n, v) => Math.max(n, v.length), 0);
	return Math.max(40, 14 + longest * 6.6);
}

// drawMarks draws what is known of a time: when the device was away, and what was lost.
function drawMarks(u, marks) {
	if (!marks) return;
	const c = u.ctx, {left, top, width, height} = u.bbox;
	c.save();
	c.beginPath();
	c.rect(left, top, width, height);
	c.clip();
	for (const m of marks) {
		const x = u.valToPos(m.from / 1000, "x", true), end = u.valToPos((m.to === Infinity ? now() : m.to) / 1000, "x", true);
		c.fillStyle = css(m.kind === "lost" ? "--lost" : "--away");
		c.fillRect(x, top, Math.max(end - x, 2), height);
	}
	c.restore();
}
