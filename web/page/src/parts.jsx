// The small parts that all views use.

import {Fragment, h} from "preact";
import {useEffect, useReducer, useRef, useState} from "preact/hooks";
import {age, harmless, unitName, value} from "./text.js";
import {now, onTick} from "./time.js";

// useChanges renders again when it changes what is there.
export function useChanges(hub) {
	const [, again] = useReducer((n) => n + 1, 0);
	const {version, link: {state}} = hub;
	useEffect(() => {
		hub.changed.add(again);
		if (hub.version !== version || hub.link.state !== state) again(); // since it was drawn: a tab behind others has effects late
		return () => hub.changed.delete(again);
	}, [hub]);
}

// useTick renders again when key() differs from what it was, which is looked at a few times a second.
export function useTick(key, every = 1) {
	const [, again] = useReducer((n) => n + 1, 0);
	const seen = useRef();
	seen.current = key();
	const latest = useRef();
	latest.current = key;
	useEffect(() => {
		let n = 0;
		return onTick(() => {
			if (++n % every === 0 && latest.current() !== seen.current) again();
		});
	}, []);
}

// usePolled asks again and again while the page is seen: {value, error, at}.
export function usePolled(hub, ask, every, turn) {
	const [state, set] = useState({});
	useEffect(() => {
		let timer, ended = false;
		const go = async () => {
			if (!document.hidden && hub.link.state.phase === "open") {
				try {
					const v = await ask();
					if (!ended) set({value: v, at: Date.now()});
				} catch (err) {
					if (!ended) set((s) => ({...s, error: err.message}));
				}
			}
			if (!ended) timer = setTimeout(go, hub.link.state.phase === "open" ? every : 300);
		};
		go();
		return () => {
			ended = true;
			clearTimeout(timer);
		};
	}, [turn]);
	return state;
}

// useSeen reports whether an element is on the screen, or near it.
export function useSeen() {
	const ref = useRef(), seen = useRef(true);
	const [, again] = useReducer((n) => n + 1, 0);
	useEffect(() => {
		const o = new IntersectionObserver((entries) => {
			const is = entries.at(-1).isIntersecting;
			if (is !== seen.current) seen.current = is, is && again();
		}, {rootMargin: "200px"});
		o.observe(ref.current);
		return () => o.disconnect();
	}, []);
	return [ref, seen];
}

export function Pill({kind, children}) {
	return <span class={"pill " + kind}>{children}</span>;
}

// Since shows how long something has been so.
export function Since({t}) {
	const text = () => t ? age(now() - t).replace("now", "a moment") : "";
	useTick(text);
	return t ? <time dateTime={new Date(t).toISOString()} title={new Date(t).toLocaleString()}>{text()}</time> : null;
}

// Value shows the latest value of a topic with its unit.
export function Value({topic}) {
	const d = topic.data, cls = typeof d === "number" ? "number" : typeof d === "boolean" ? "bool" : "text";
	const unit = unitName(topic.unit);
	const title = topic.size > 60 ? `${topic.size} characters` : typeof d === "number" ? `${d} ${topic.unit}` : harmless(typeof d === "string" ? d : JSON.stringify(d) ?? "", 400);
	return <span class={"value " + cls} title={title}><bdi>{value(d)}</bdi>{unit && <span class="unit">{unit}</span>}</span>;
}

// Spark draws the latest minute of a topic.
export function Spark({list}) {
	if (list.length < 2) return <svg class="spark" aria-hidden="true" />;
	let low = Infinity, high = -Infinity;
	for (const p of list) low = Math.min(low, p.min), high = Math.max(high, p.max);
	const end = list.at(-1).at, span = high - low || 1;
	const x = (at) => (100 - (end - at) * 100 / 59).toFixed(1), y = (v) => (high === low ? 12 : 22 - ((v - low) / span || 0) * 20).toFixed(1);
	let line = "", before;
	for (const p of list) {
		if (end - p.at > 59) continue;
		line += (before !== undefined && p.at - before < 15 ? "L" : "M") + x(p.at) + " " + y(p.min === p.last ? p.max : p.min) + "L" + x(p.at) + " " + y(p.last);
		before = p.at;
	}
	return <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path d={line} /></svg>;
}

// Command shows a command line that does the same, to be copied.
export function Command({children}) {
	const [copied, set] = useState(false);
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(children);
		} catch { // not over plain HTTP
			const range = document.createRange();
			range.selectNodeContents(ref.current);
			getSelection().removeAllRanges();
			getSelection().addRange(range);
			document.execCommand("copy");
		}
		set(true);
		setTimeout(() => set(false), 1500);
	};
	const ref = useRef();
	return <div class="command"><code ref={ref}>{children}</code><button type="button" class="quiet" onClick={copy}>{copied ? "copied" : "copy"}</button></div>;
}

export function Empty({title, children}) {
	return <section class="empty"><h2>{title}</h2>{children}</section>;
}

// Asking is a view that knows nothing yet.
export function Asking({title, error}) {
	return <><h1>{title}</h1>{error ? <Trouble error={error} /> : <p class="muted">asking the hub…</p>}</>;
}

export function Trouble({error}) {
	return error ? <p class="trouble" role="alert">{harmless(error, 300)}</p> : null;
}

// route returns a link to a view. Names are strangers', and may have any characters.
export const route = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

export function Name({children, most = 80}) {
	return <bdi>{harmless(children, most)}</bdi>;
}
