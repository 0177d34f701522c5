// Requests to senders, as buttons and forms, with the answer, and the same as a command line.

import {Fragment, h} from "preact";
import {useState} from "preact/hooks";
import {Command, Name, Trouble} from "../parts.jsx";
import {command, entered, harmless} from "../text.js";

export function Requests({hub, senders}) {
	const list = senders.filter((s) => s.connected && s.requests && s.requests.length > 0);
	if (list.length === 0) return null;
	return <section class="panel"><header><h2>Requests</h2></header>{list.map((s) => <OfSender key={s.name} hub={hub} sender={s} />)}</section>;
}

function OfSender({hub, sender}) {
	const named = sender.requests.filter((m) => m !== null), any = sender.requests.includes(null);
	const [other, setOther] = useState("");
	const [params, setParams] = useState("");
	const [state, setState] = useState(null);
	const ask = async (method) => {
		const began = performance.now(), text = params.trim();
		const line = command("request", sender.name, method, ...(text ? [text] : []));
		setState({method, line, waiting: true});
		try {
			const answer = await hub.call("request", {sender: sender.name, method, params: text ? entered(text) : null}, 70000);
			setState({method, line, answer, took: performance.now() - began});
		} catch (err) {
			setState({method, line, error: err.message});
		}
	};
	const submit = (e) => {
		e.preventDefault();
		if (other.trim()) ask(other.trim());
	};
	return <div class="requests">
		<h3><Name>{sender.name}</Name></h3>
		<div class="row">
			{named.map((m) => <button type="button" key={m} disabled={state && state.waiting} onClick={() => ask(m)}><Name most={60}>{m}</Name></button>)}
			{any && <form class="inline" onSubmit={submit}><input aria-label={`another request to ${sender.name}`} placeholder="another request" value={other} maxLength="255" onInput={(e) => setOther(e.target.value)} /><button disabled={state && state.waiting}>ask</button></form>}
			<input class="params" aria-label={`parameters of requests to ${sender.name}`} placeholder="parameters, in JSON (may be empty)" value={params} onInput={(e) => setParams(e.target.value)} />
		</div>
		{state && <div class="answer" role="status">
			{state.waiting ? <p class="muted">waiting for the answer…</p> : state.error ? <Trouble error={state.error} /> : <><pre>{harmless(JSON.stringify(state.answer, null, 1) ?? "null", 4000)}</pre><p class="muted">answered in {state.took < 10 ? state.took.toFixed(1) : Math.round(state.took)} ms</p></>}
			<Command>{state.line}</Command>
		</div>}
	</div>;
}
