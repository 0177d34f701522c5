// The Hub is what the page knows of the hub: senders, their events with the latest values, losses. It hears everything that happens
// while the page is seen, and nothing while it is hidden.

import {Link, Lost, Refused, denied} from "./link.js";
import {forget, keep, kept, linked, onKept} from "./login.js";
import {copyOf} from "./text.js";
import {learn, now} from "./time.js";
import {numberOf} from "./series.js";

// Bounds of what the page keeps, whatever the hub has.
const mostSenders = 5000, mostEvents = 200 /* of a sender */, mostRecent = 64, mostSpark = 60, mostLosses = 500, mostText = 4096;

// late is from when on a value counts as late: it was taken so many ms before it was heard.
const late = 2000;

export const builtIn = (event) => event === "#connect" || event === "#disconnect" || event === "#gap";

// A Topic is one event of one sender.
class Topic {
	constructor(sender, event) {
		this.sender = sender;
		this.event = event;
		this.unit = "";
		this.version = 0; // counts what was heard
		this.data = undefined;
		this.size = 0; // of the data, in characters, if it is cut
		this.time = 0; // when it happened, at the hub
		this.since = 0; // when it began to have this value, as far as the page knows
		this.lateBy = 0;
		this.recent = []; // {t, v, seq, connection} of the latest numbers, for charts that begin
		this.spark = []; // {t, min, max, last}, one a second
		this.followers = new Set(); // functions that are called with each number
	}
}

// A Sender is a source of events.
class Sender {
	constructor(name) {
		this.name = name;
		this.connected = false;
		this.since = 0; // when it came or went; 0: unknown
		this.reason = ""; // why it went
		this.left = null; // {t, data} of its latest #disconnect in the past
		this.guessed = undefined; // if it went while nobody told when: what since was before
		this.client = null; // whose it is; null: the hub's own, or unknown
		this.requests = null;
		this.topics = new Map();
		this.seq = 0; // of the latest event in this connection
		this.connection = 0;
		this.lost = 0; // events that are known to be lost, as heard by this page
		this.losses = []; // the latest of them
		this.refused = null;
		this.version = 0;
	}

	topic(event) {
		let t = this.topics.get(event);
		if (!t && this.topics.size < mostEvents) {
			t = new Topic(this, event);
			this.topics.set(event, t);
			this.version++;
		}
		return t;
	}
}

// deviceOf returns the key of the device that a sender is part of: what has several senders is one thing to people.
export function deviceOf(sender) {
	const c = sender.client;
	if (!c) return sender.connected || sender.known ? "hub" : "?";
	return c.uid ? "uid:" + c.uid : c.name ? "name:" + c.name : "id:" + c.id;
}

export class Hub {
	constructor(address) {
		this.version = 0; // of what is there: senders and their states, and not values
		this.#clear();
		this.changed = new Set(); // functions that are called when what is there changes
		this.journal = undefined; // null: the hub keeps none
		this.lossListeners = new Map(); // by listener id: functions that hear of losses of the past
		const had = kept(), token = linked();
		if (had && token && token !== had.token) this.offer = {token}; // somebody else is logged in here, and is asked
		else if (token) keep(token, true);
		this.link = new Link(address, had || (token ? {token} : null), () => this.#linkChanged(), (...s) => this.#signal(...s));
		onKept((old) => old && this.link.secret?.token === old && location.reload()); // as in a new tab, whoever is logged in now
		this.listening = 0; // the id of the listener
		this.turn = 0; // counts listeners: what has happened before the latest one, only the journal knows
		document.addEventListener("visibilitychange", () => this.#follow());
	}

	// #clear forgets what others may not see.
	#clear() {
		this.senders = new Map();
		this.heard = 0; // events, by this page
		this.skipped = 0; // events that the hub left out for this page
		this.skips = []; // the latest of them
		this.overflow = false; // there are more senders than the page shows
		this.listedOnce = false;
		this.self = null; // who is there for the hub
		this.trouble = "";
	}

	// login connects as somebody: by a token, which is kept, or by a password, in whose place the secret of a session is.
	login(secret, long) {
		this.long = long;
		if (secret.token) keep(secret.token, long);
		this.#become(secret, "");
	}

	#become(secret, why) {
		this.#clear();
		this.link.again(why, secret);
	}

	async logout() {
		forget(this.link.secret?.token);
		await this.#end();
		this.link.leave("");
	}

	// #end has the hub end the session, with all connections that came by it.
	async #end() {
		const token = this.link.secret?.token;
		if (token?.startsWith("sgs_")) await this.call("end_session", {token}).catch(() => {});
	}

	// accept logs in by the link that was opened here, in place of whoever is logged in, and decline does not.
	async accept() {
		const {token} = this.offer;
		this.offer = null;
		await this.#end();
		this.login({token}, true);
	}

	decline() {
		this.offer = null;
		this.touch();
	}

	// #ask asks whose link was opened here.
	async #ask() {
		const offer = this.offer;
		const answer = await fetch("api/v1/whoami", {headers: {Authorization: "Bearer " + offer.token}});
		const other = answer.ok ? await answer.json() : null;
		if (this.offer !== offer) return;
		if (other && other.identity === this.self?.identity) {
			this.accept();
			return;
		}
		offer.who = other ? other.who : "";
		this.touch();
	}

	// may reports whether there is anything that this page may do of a kind.
	may(verb) { return Boolean(this.self) && (this.self.open || (this.self.may || []).includes(verb)); }

	start() {
		this.link.connect();
		setInterval(() => this.listening && !document.hidden && this.list().catch(() => {}), 60000);
		setInterval(() => this.#look().catch(() => {}), 5000);
	}

	call(method, params, timeout, at) { return this.link.call(method, params, timeout, at); }

	touch() {
		this.version++;
		if (this.touched) return;
		this.touched = true;
		setTimeout(() => {
			this.touched = false;
			for (const f of this.changed) f();
		}, 100);
	}

	#linkChanged() {
		const phase = this.link.state.phase;
		if (phase !== "open") this.listening = 0;
		if (phase === "denied") {
			forget(this.link.state.left?.token);
			this.#clear();
			if (this.offer) this.accept();
		} else if (phase === "open") {
			const secret = this.link.secret;
			if (secret?.password) this.#begin(secret);
			else this.#enter();
		}
		for (const f of this.changed) f();
	}

	// #enter learns the hub's time, by which all that follows is told, and who is there for the hub, and begins to listen meanwhile.
	async #enter() {
		await learn().catch(() => {});
		this.#follow();
		try {
			this.self = await this.call("whoami");
			if (this.offer && this.offer.who === undefined) this.#ask().catch(() => {});
		} catch (err) {
			if (err instanceof Lost) return;
			this.self ??= {open: true}; // a hub that knows no rights
		}
		this.touch();
	}

	// #look begins anew when this page may see other things than before.
	async #look() {
		const before = this.self;
		if (this.link.state.phase !== "open" || document.hidden || !before || before.open) return;
		const self = await this.call("whoami");
		if (this.self === before && self.rights !== before.rights) this.#anew();
	}

	#anew() {
		this.#clear();
		this.link.again("what this login may do has changed");
	}

	// #begin has a session take the place of a password, and connects by that, so that the connection ends with the session. Just after
	// something was revoked, the hub begins none.
	async #begin(secret, tries = 4) {
		try {
			const session = await this.call("begin_session");
			if (this.link.secret !== secret) return;
			keep(session.token, this.long);
			this.#become(session, "");
		} catch (err) {
			if (err instanceof Lost) return;
			if (!this.self) this.#enter();
			if (tries > 0) setTimeout(() => this.link.secret === secret && this.#begin(secret, tries - 1), 3000);
		}
	}

	// #follow has the hub tell the page everything while it is seen, and nothing while it is hidden.
	async #follow() {
		if (this.link.state.phase !== "open") return;
		try {
			if (document.hidden) {
				const id = this.listening;
				this.listening = 0;
				if (id > 0) await this.call("remove_listener", {listener_id: id});
			} else if (!this.listening) {
				this.listening = -1; // soon
				const p = {sender: null, event: null, policy: "latest", gather: 50};
				const at = (answer) => { this.listening = answer.listener_id, this.turn++; };
				try {
					await this.call("add_listener", {...p, last: true}, undefined, at);
					this.journal = true;
				} catch (err) {
					if (!(err instanceof Refused) || err.status === denied) throw err;
					this.journal = null; // no journal, so no last values
					await this.call("add_listener", p, undefined, at);
				}
				await this.list();
				this.trouble = "";
				if (document.hidden) this.#follow();
			}
		} catch (err) {
			this.listening = 0;
			if (!(err instanceof Lost)) this.trouble = err.message;
			this.touch();
		}
	}

	// list asks which senders there are.
	async list() {
		const there = new Set();
		for (let after = null; ;) {
			const page = await this.call("list_senders", {list_events: true, ...(after !== null && {after})});
			for (const s of page) {
				if (s.sender === null) continue;
				there.add(s.sender);
				this.#listed(s);
			}
			const end = page.at(-1);
			if (!end || end.sender === null) break;
			after = end.sender;
		}
		for (const s of this.senders.values()) {
			if (s.connected && !there.has(s.name)) this.#left(s);
		}
		if (this.senders.size >= mostSenders) this.#forgetSome(there);
		this.listedOnce = true;
		this.touch();
	}

	// #forgetSome has those who went first make room for others.
	#forgetSome(there) {
		const gone = [...this.senders.values()].filter((s) => !s.connected && !there.has(s.name)).sort((a, b) => a.since - b.since);
		for (const s of gone.slice(0, mostSenders / 10)) this.senders.delete(s.name), this.overflow = false;
	}

	#listed(l) {
		const s = this.sender(l.sender);
		if (!s) return;
		s.refused = l.refused;
		if (!l.connected) {
			if (s.connected) this.#left(s);
			return;
		}
		s.known = true;
		if (!s.connected) s.connected = true, s.reason = "";
		this.#describe(s, {client: l.client ?? null, requests: l.requests, units: l.units, events: (l.events || []).map((e) => e.event)});
	}

	#describe(s, c) {
		s.client = c.client ?? null;
		s.requests = c.requests ?? null;
		for (const event of c.events || []) {
			if (event && !builtIn(event)) s.topic(event);
		}
		for (const [event, unit] of Object.entries(c.units || {})) {
			const t = s.topic(event);
			if (t) t.unit = unit;
		}
		s.version++;
	}

	sender(name) {
		let s = this.senders.get(name);
		if (!s) {
			if (this.senders.size >= mostSenders) {
				this.overflow = true;
				return null;
			}
			this.senders.set(name, s = new Sender(name));
			this.touch();
		}
		return s;
	}

	#signal(listener, name, event, data, time, info) {
		const past = this.lossListeners.get(listener);
		if (past) {
			past({sender: name, data, time});
			return;
		}
		if (listener !== this.listening) return; // of a listener that was removed
		const t = time ? typeof time === "number" ? time : Date.parse(time) : now();
		this.heard += info.last ? 0 : 1;
		if (event === "#gap" && data) {
			this.#gap(name, data, t);
			return;
		}
		const s = this.sender(name);
		if (!s) return;
		if (info.connection > s.connection) s.connection = info.connection, s.seq = 0;
		if (info.connection === s.connection && info.seq > s.seq) s.seq = info.seq;
		if (event === "#connect" || event === "#disconnect") {
			this.#moved(s, event, data || {}, t, info.last);
			return;
		}
		this.#value(s, event, data, t, info);
	}

	#moved(s, event, data, t, last) {
		if (last && (s.known || t < s.since)) { // what is so now is known
			if (!s.client && data.client) s.client = data.client;
			if (s.connected && event === "#connect" && t > s.since) s.since = t;
			if (event === "#disconnect" && t > (s.guessed ?? s.since)) {
				if (s.connected) s.left = {t, data};
				else this.#went(s, data, t);
			}
			this.touch();
			return;
		}
		if (event === "#connect") {
			s.connected = !last || s.connected;
			s.known = s.known || !last;
			s.since = t;
			s.reason = "";
			this.#describe(s, data);
		} else {
			this.#went(s, data, t);
		}
		this.touch();
	}

	// #left notes that a sender has gone while nobody told this page when: it did not listen. The journal may tell, before or after.
	#left(s) {
		const since = s.since, l = s.left;
		if (l && l.t > since) {
			this.#went(s, l.data, l.t);
		} else {
			this.#went(s, {}, now());
			s.guessed = since;
		}
	}

	#went(s, data, t) {
		s.guessed = undefined;
		s.connected = false;
		s.since = t;
		s.reason = data.reason || "";
		if (data.client) s.client = data.client;
		else if (!s.client && data.events && data.reason) s.known = true; // one of the hub's own
		s.version++;
		this.touch();
	}

	#value(s, event, data, t, info) {
		const topic = s.topic(event);
		if (!topic || info.last && topic.version > 0 && t <= topic.time) return;
		const heard = now(), v = numberOf(data);
		topic.version++;
		if (t >= topic.time) { // a late value is no newer than the latest one
			if (typeof data === "object" && data !== null || typeof data === "string") {
				const text = typeof data === "string" ? data : JSON.stringify(data);
				topic.size = text.length;
				if (text.length > mostText) data = copyOf(text, mostText);
			} else {
				topic.size = 0;
			}
			if (topic.data !== data) topic.since = t;
			topic.data = data;
			topic.time = t;
			topic.lateBy = info.last ? 0 : heard - t > late ? heard - t : 0;
		}
		if (v === undefined) return;
		const recent = topic.recent;
		recent.push({t, v, seq: info.seq || 0, connection: info.connection || 0});
		if (recent.length > mostRecent) recent.shift();
		spark(topic.spark, t, v);
		for (const f of topic.followers) f(t, v, info);
	}

	#gap(name, data, t) {
		const loss = {sender: name, count: data.count, first: Date.parse(data.first), last: Date.parse(data.last), event: data.event, cause: data.cause || "", time: t};
		if (loss.cause === "revoked" || loss.cause === "denied") { // what is shown may not be seen any more
			this.#anew();
			return;
		}
		if (loss.cause === "slow") { // on the way to this page alone
			this.skipped += data.count || 0;
			this.skips.push(loss);
			if (this.skips.length > 50) this.skips.shift();
			return;
		}
		const s = this.sender(name || "(any sender)");
		if (!s) return;
		s.lost += data.count || 0;
		s.losses.push(loss);
		if (s.losses.length > mostLosses) s.losses.shift();
		s.version++;
		this.touch();
	}
}

// spark sums up numbers by the second.
function spark(list, t, v) {
	const at = Math.floor(t / 1000), end = list.at(-1);
	if (end && at < end.at) return; // late: the chart has it
	if (end && at === end.at) {
		end.min = Math.min(end.min, v), end.max = Math.max(end.max, v), end.last = v;
		return;
	}
	list.push({at, min: v, max: v, last: v});
	if (list.length > mostSpark) list.shift();
}
