// The page of a hub.

import {Fragment, h, render} from "preact";
import {useEffect, useReducer, useRef, useState} from "preact/hooks";
import {plot} from "./chart.jsx";
import {Hub} from "./hub.js";
import {Name, useChanges, useTick} from "./parts.jsx";
import {age, ago, clock, group, harmless} from "./text.js";
import {learn, now, skew} from "./time.js";
import {Access} from "./views/access.jsx";
import {Bridges} from "./views/bridges.jsx";
import {Clients} from "./views/clients.jsx";
import {Device} from "./views/device.jsx";
import {Journal} from "./views/journal.jsx";
import {Log} from "./views/log.jsx";
import {Login} from "./views/login.jsx";
import {Losses} from "./views/losses.jsx";
import {Overview} from "./views/overview.jsx";
import {Ports} from "./views/ports.jsx";
import {Search} from "./views/search.jsx";
import {Send} from "./views/send.jsx";
import {Thresholds} from "./views/thresholds.jsx";

// allViews are the parts of the page: name, what shows it, path, and what one must be allowed to see it.
const allViews = [
	["Devices", Overview, ""], ["Ports", Ports, "ports", "admin"], ["Losses", Losses, "losses"], ["Thresholds", Thresholds, "thresholds"],
	["Journal", Journal, "journal", "admin"], ["Bridges", Bridges, "bridges", "admin"], ["Clients", Clients, "clients", "admin"], ["Log", Log, "log", "admin"],
	["Access", Access, "access", "admin"], ["Send", Send, "send", "add"],
];

// Everything is found relative to where the page is, so that it can be below a path of a proxy.
const socket = new URL("api/v1/socket", document.baseURI);
socket.protocol = socket.protocol.replace("http", "ws");
socket.search = socket.hash = "";
const hub = new Hub(socket.href);

function parts() {
	try {
		return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
	} catch {
		return [""]; // somebody has typed it
	}
}

function Connection() {
	const {phase, why, since, nextTry} = hub.link.state;
	useTick(() => phase + Math.ceil(((nextTry || 0) - Date.now()) / 1000) + (phase === "open" ? "" : age(Date.now() - since)));
	if (phase === "open") return <span class="connection good" title={`connected since ${clock(since)}`}><i aria-hidden="true" />live</span>;
	return <span class="connection bad"><i aria-hidden="true" />{{connecting: "connecting…", denied: "not logged in"}[phase] || "no connection"}</span>;
}

// Outage says that what is shown is old.
function Outage() {
	const {phase, why, since, nextTry} = hub.link.state;
	const left = () => Math.max(Math.ceil(((nextTry || 0) - Date.now()) / 1000), 0);
	useTick(() => `${phase} ${left()} ${age(Date.now() - since)}`);
	if (phase === "open") {
		return hub.trouble ? <p class="banner" role="alert">The hub does not tell this page what happens: {harmless(hub.trouble)}</p> : null;
	}
	if (!hub.listedOnce && phase === "connecting" && hub.link.state.tries <= 1) return null;
	return <p class="banner" role="alert">
		<b>The hub is not reached{hub.listedOnce && <> for {age(Date.now() - since)}: what you see is from before {clock(since)}</>}.</b> {why && harmless(why)}. {phase === "waiting" ? <>The page tries again in {left()} s. <button type="button" onClick={hub.link.connect}>Try now</button></> : "Trying…"}
	</p>;
}

// Offer asks whether to become somebody else, whose link to log in was opened here.
function Offer({hub}) {
	const who = hub.offer?.who;
	if (who === undefined) return null;
	return <p class="banner" role="alert">
		{who === "" ? <>The link that was opened is not known here, or was revoked. You are still <b><Name most={40}>{hub.self.who || "nobody"}</Name></b>. </> : <>A link that logs in <b><Name most={40}>{who}</Name></b> was opened. You are <b><Name most={40}>{hub.self.who || "nobody"}</Name></b>. <button type="button" onClick={() => hub.accept()}>Become <Name most={40}>{who}</Name></button></>}
		<button type="button" onClick={() => hub.decline()}>{who === "" ? "Close" : <>Stay <Name most={40}>{hub.self.who || "nobody"}</Name></>}</button>
	</p>;
}

const themes = ["auto", "light", "dark"];

function applyTheme(theme) {
	if (theme === "auto") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
	dispatchEvent(new Event("themed"));
}

function Theme() {
	const [theme, set] = useState(stored());
	const next = themes[(themes.indexOf(theme) + 1) % 3];
	return <button type="button" class="quiet" title="light or dark" onClick={() => {
		try {
			localStorage.setItem("theme", next);
		} catch { /* not kept */ }
		applyTheme(next);
		set(next);
	}}>{theme === "auto" ? "auto" : theme}<span class="hidden"> colours; change to {next}</span></button>;
}

function stored() {
	try {
		const t = localStorage.getItem("theme");
		return themes.includes(t) ? t : "auto";
	} catch {
		return "auto";
	}
}

function Foot() {
	const hello = hub.link.state.hello;
	useTick(() => hub.heard + " " + hub.skipped, 4);
	return <footer class="foot">
		<span>{hello && <><Name>{hello.name}</Name> <Name>{hello.version}</Name></>}</span>
		<span>{group(hub.heard)} events heard{hub.skipped > 0 && <>, <a href="#/losses" class="skipped">{group(hub.skipped)} left out for this page</a></>}</span>
		{skew() !== 0 && <span class="warn">this machine's clock is {age(Math.abs(skew()))} {skew() < 0 ? "ahead of" : "behind"} the hub's</span>}
		<a href={document.querySelector("link[rel=license]").href}>licences</a>
	</footer>;
}

function App() {
	useChanges(hub);
	if (hub.listedOnce) plot().catch(() => {}); // while the hub is reached
	const [, again] = useReducer((n) => n + 1, 0);
	const search = useRef(), main = useRef();
	useEffect(() => {
		const moved = () => {
			if (parts()[0] === "in") { // somebody logs in by another address: as in a new tab, so that no secret stays in it
				location.reload();
				return;
			}
			again();
			scrollTo(0, 0);
			main.current?.focus({preventScroll: true});
		};
		const key = (e) => {
			if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
			e.preventDefault();
			search.current.focus();
		};
		addEventListener("hashchange", moved);
		addEventListener("keydown", key);
		return () => {
			removeEventListener("hashchange", moved);
			removeEventListener("keydown", key);
		};
	}, []);
	const views = allViews.filter((v) => !v[3] || hub.may(v[3]));
	const [path, ...args] = parts();
	const view = path === "device" ? Device : (views.find((v) => v[2] === path) || [])[1];
	const name = path === "device" ? "Devices" : (views.find((v) => v[2] === path) || ["Not found"])[0];
	useEffect(() => {
		document.title = name + " · sighub";
		document.querySelector("nav [aria-current]")?.scrollIntoView({block: "nearest", inline: "nearest"});
	}, [name]);
	if (hub.link.state.phase === "denied" || !hub.self && hub.link.secret && hub.link.secret.password) {
		return <><header class="head"><span class="brand"><img src={document.querySelector("link[rel=icon]").href} alt="" width="26" height="26" />sighub</span><span class="grow" /><Connection /><Theme /></header><Login hub={hub} /></>;
	}
	const View = view || (() => !hub.self ? <p class="muted">asking the hub…</p> : <><h1>Not found</h1><p>There is no such view. <a href="#/">All devices</a></p></>);
	return <>
		<a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
		<header class="head">
			<a class="brand" href="#/"><img src={document.querySelector("link[rel=icon]").href} alt="" width="26" height="26" />sighub</a>
			<nav aria-label="views">{views.map(([n, , p]) => <a key={p} href={"#/" + p} aria-current={n === name ? "page" : undefined}>{n}</a>)}</nav>
			<Search hub={hub} views={views} input={search} />
			<Connection />{hub.link.secret && hub.self && <button type="button" class="quiet" title={"log out " + harmless(hub.self.text || "", 80)} onClick={() => hub.logout()}><span class="who"><Name most={24}>{hub.self.who || ""}</Name> </span>⏏<span class="hidden"> log out</span></button>}<Theme />
		</header>
		<Outage />
		{hub.self && <Offer hub={hub} />}
		<main id="main" ref={main} tabIndex={-1}><View hub={hub} key={path + "\n" + args.join("\n")} args={args} /></main>
		<Foot />
	</>;
}

applyTheme(stored());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themed")));
setInterval(() => document.hidden || learn().catch(() => {}), 600000);
hub.start();
render(<App />, document.body);
