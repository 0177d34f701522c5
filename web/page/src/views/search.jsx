// Search finds devices, senders, events and views by parts of their names.

import {h} from "preact";
import {useRef, useState} from "preact/hooks";
import {devices} from "./overview.jsx";
import {Name, route} from "../parts.jsx";

const most = 12;

function find(hub, views, text) {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean), found = [];
	if (words.length === 0) return found;
	const fits = (...names) => words.every((w) => names.some((n) => n && n.toLowerCase().includes(w)));
	for (const [name, , path] of views) if (fits(name)) found.push({kind: "view", name, href: "#/" + path});
	for (const d of devices(hub)) {
		if (fits(d.name, d.client && d.client.uid)) found.push({kind: d.client && d.client.uid ? "device" : "source", name: d.name, href: route("device", d.key)});
		for (const s of d.senders) {
			for (const t of s.topics.values()) {
				if (fits(s.name, t.event, d.name) && !fits(d.name)) found.push({kind: "event", name: s.name + " " + t.event, href: route("device", d.key, s.name, t.event)});
				if (found.length > 200) return found;
			}
		}
	}
	return found;
}

export function Search({hub, views, input}) {
	const [text, setText] = useState(""), [at, setAt] = useState(0), [open, setOpen] = useState(false);
	const found = open ? find(hub, views, text).slice(0, most) : [];
	const box = useRef();
	const go = (f) => {
		location.hash = f.href;
		setText("");
		setOpen(false);
		input.current.blur();
	};
	const key = (e) => {
		if (e.key === "ArrowDown" || e.key === "ArrowUp") {
			e.preventDefault();
			setAt((n) => found.length ? (n + (e.key === "ArrowDown" ? 1 : found.length - 1)) % found.length : 0);
		} else if (e.key === "Enter" && found.length > 0) {
			e.preventDefault();
			go(found[Math.min(at, found.length - 1)]);
		} else if (e.key === "Escape") {
			setText("");
			setOpen(false);
			input.current.blur();
		}
	};
	return <div class="search" role="search" ref={box} onFocusOut={(e) => box.current.contains(e.relatedTarget) || setOpen(false)}>
		<input ref={input} type="search" role="combobox" aria-expanded={found.length > 0} aria-controls="found" aria-autocomplete="list" aria-activedescendant={found.length ? "found-" + Math.min(at, found.length - 1) : undefined}
			placeholder="Search" aria-label="Search devices, events and views" aria-keyshortcuts="/" value={text} onInput={(e) => { setText(e.target.value); setAt(0); setOpen(true); }} onKeyDown={key} />
		<kbd aria-hidden="true">/</kbd>
		{found.length > 0 && <ul id="found" role="listbox">{found.map((f, i) => <li key={f.href} id={"found-" + i} role="option" aria-selected={i === at} onMouseDown={(e) => { e.preventDefault(); go(f); }}><Name>{f.name}</Name><span class="muted">{f.kind}</span></li>)}</ul>}
		{open && text && found.length === 0 && <ul id="found"><li class="muted">nothing has that name</li></ul>}
	</div>;
}
