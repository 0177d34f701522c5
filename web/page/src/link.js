// A Link is the connection to the hub: a WebSocket that speaks the hub's protocol in JSON. It connects again by itself.

const helloTimeout = 10000, callTimeout = 30000, silence = 15000; // ms
const firstPause = 500, longestPause = 10000; // ms between two tries

// signalsAtOnce is how many signals may be unanswered. The hub finds out by itself how many are answered in time.
const signalsAtOnce = 4096;

// A Refused is what the hub says when it refuses a call.
export class Refused extends Error {
	constructor(status, exception) {
		super(String(exception || "the hub refuses it") );
		this.status = status;
	}
}

// denied is the status of what is not allowed.
export const denied = -7;

// A Lost is the error of calls whose connection was lost. What they asked for may have been done.
export class Lost extends Error {}

export class Link {
	// onState is told of each change of state; onSignal of each signal, as {listener, sender, event, data, time, seq, ...}.
	// secret is what is said to prove who is there, or null.
	constructor(address, secret, onState, onSignal) {
		this.address = address;
		this.secret = secret;
		this.onState = onState;
		this.onSignal = onSignal;
		this.state = {phase: "connecting", since: Date.now(), tries: 0};
		this.calls = new Map();
		this.nextID = 1;
		this.connect = this.connect.bind(this);
		const soon = () => this.state.phase === "waiting" && !document.hidden && this.connect();
		addEventListener("online", soon);
		document.addEventListener("visibilitychange", soon);
		setInterval(() => this.#probe(), 5000);
	}

	#become(phase, more) {
		this.state = {...this.state, ...more, phase};
		this.onState(this.state);
	}

	connect() {
		clearTimeout(this.timer);
		this.routes = [];
		this.done = 0;
		this.rest = "";
		this.#become("connecting", {tries: this.state.tries + 1});
		let socket;
		try {
			socket = new WebSocket(this.address, ["sighub.json"]);
		} catch (err) {
			this.#lost(err.message);
			return;
		}
		this.socket = socket;
		this.timer = setTimeout(() => this.#fail(socket, "the hub does not answer"), helloTimeout);
		let opened = false;
		socket.onopen = () => {
			opened = true;
			this.call("hello", {protocol: 1, name: "page", window: 256, signals: signalsAtOnce, ...this.secret}).then((hello) => {
				clearTimeout(this.timer);
				this.#become("open", {since: Date.now(), tries: 0, hello, why: ""});
			}, (err) => err instanceof Refused && err.status === denied ? this.leave(err.message) : this.#fail(socket, err.message));
		};
		socket.onmessage = (m) => this.socket === socket && this.#receive(m.data);
		socket.onclose = (c) => {
			this.#fail(socket, c.reason || "the connection to the hub is lost");
			if (!opened) this.#explain();
		};
	}

	// #explain says what is in the way if the hub answers, and only its WebSocket does not.
	async #explain() {
		const answer = await fetch("-/healthy", {cache: "no-store"}).catch(() => ({}));
		if (answer.ok && this.state.phase === "waiting") this.#become("waiting", {why: "the hub answers, but its WebSocket does not get through: a proxy must pass WebSockets on, and keep Host"});
	}

	// again connects anew, by another secret if one is given.
	again(why, secret = this.secret) {
		this.#fail(this.socket, why);
		this.secret = secret;
		this.connect();
	}

	#fail(socket, why) {
		if (!socket || this.socket !== socket) return;
		this.socket = null;
		socket.onclose = socket.onmessage = null;
		socket.close();
		this.#lost(why);
	}

	// leave ends the connection until somebody has logged in. why is what the hub says.
	leave(why) {
		const socket = this.socket, left = this.secret, said = Boolean(left) && why !== "";
		this.socket = this.secret = null;
		if (socket) {
			socket.onclose = socket.onmessage = null;
			socket.close();
		}
		this.#end(why);
		clearTimeout(this.timer);
		this.#become("denied", {why, said, left, tries: 0});
	}

	#end(why) {
		const calls = [...this.calls.values()];
		this.calls.clear();
		for (const c of calls) c.fail(new Lost(why));
	}

	#lost(why) {
		clearTimeout(this.timer);
		const lostNow = this.state.phase === "open";
		const pause = Math.min(firstPause * 2 ** Math.max(this.state.tries - 1, 0), longestPause) * (0.8 + Math.random() * 0.4);
		this.timer = setTimeout(this.connect, pause);
		this.#become("waiting", {why, nextTry: Date.now() + pause, ...(lostNow && {since: Date.now()})});
		this.#end(why);
	}

	// #probe asks something of a hub that has long been silent: a browser does not notice that the machine behind it has vanished.
	#probe() {
		const socket = this.socket;
		if (this.state.phase !== "open" || document.hidden || Date.now() - this.heard < silence) return;
		this.call("get_version", undefined, helloTimeout).catch((err) => !(err instanceof Refused) && this.#fail(socket, "the hub does not answer"));
	}

	// call calls a method of the hub. at is called with the answer before anything is received that follows it.
	call(method, params, timeout = callTimeout, at = () => {}) {
		return new Promise((resolve, reject) => {
			if (!this.socket || this.socket.readyState !== WebSocket.OPEN) {
				reject(new Lost("the hub is not connected"));
				return;
			}
			const id = this.nextID++;
			const timer = setTimeout(() => {
				this.calls.delete(id);
				reject(new Error("no answer in " + timeout / 1000 + " s"));
			}, timeout);
			this.calls.set(id, {
				done: (v) => (clearTimeout(timer), at(v), resolve(v)),
				fail: (err) => (clearTimeout(timer), reject(err)),
			});
			this.#send(params === undefined ? {id, method} : {id, method, params});
		});
	}

	#send(v) {
		if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(v) + "\n");
	}

	// #receive receives a part of the hub's stream: JSON values, each in a line.
	#receive(text) {
		this.heard = Date.now();
		const lines = (this.rest + text).split("\n"), socket = this.socket;
		this.rest = lines.pop();
		for (const line of lines) {
			let m;
			try {
				m = JSON.parse(line);
			} catch {
				this.#fail(socket, "the hub says what is not JSON");
				return;
			}
			this.#message(m);
			if (this.socket !== socket) return;
		}
	}

	#message(m) {
		if (Array.isArray(m)) {
			this.#stream(m);
		} else if (m.method === "signal") {
			const {listener_id, info, data} = m.params;
			this.onSignal(listener_id, info.sender, info.event, data, info.time, info);
			this.#send({id: m.id, status: 0});
		} else if (m.method) {
			this.#send({id: m.id, status: -1, exception: "the page has no methods"});
		} else {
			const c = this.calls.get(m.id);
			this.calls.delete(m.id);
			if (!c) return;
			if (m.status === 0) c.done(m.response);
			else c.fail(new Refused(m.status, m.exception));
		}
	}

	// #stream receives a signal of the stream: [route, data, time, uncertainty, seq, sequence, last].
	#stream(m) {
		if (m.length < 2) return; // an answer; the page sends no signals in a stream
		let route = m[0];
		if (Array.isArray(route)) {
			const [number, sender, event, listener, connection, epoch] = route;
			route = this.routes[number] = {listener, sender, event, connection, epoch};
		} else if (route < 0) {
			return;
		} else {
			route = this.routes[route];
		}
		if (route) {
			this.onSignal(route.listener, route.sender, route.event, m[1], m[2],
				{seq: m[4], connection: route.connection, position: m[5] ? [route.epoch, m[5]] : null, last: m[6] === 1});
		}
		// What is handled is answered soon, all together. A page that cannot keep up answers late, and the hub then leaves out values.
		if (this.done++ === 0) {
			const socket = this.socket;
			setTimeout(() => {
				if (this.socket !== socket) return;
				this.#send([this.done]);
				this.done = 0;
			}, 10);
		}
	}
}
