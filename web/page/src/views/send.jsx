// Sends an event, as sighub send does.

import {Fragment, h} from "preact";
import {useState} from "preact/hooks";
import {Command, Trouble} from "../parts.jsx";
import {command, entered, harmless} from "../text.js";

export function Send({hub}) {
	const [sender, setSender] = useState(""), [event, setEvent] = useState(""), [data, setData] = useState("");
	const [state, setState] = useState(null);
	const text = data.trim(), value = text === "" ? null : entered(text);
	const send = async (e) => {
		e.preventDefault();
		setState({busy: true});
		try {
			await hub.call("add_sender", {sender, events: [event], requests: null});
			try {
				await hub.call("signal", {info: {sender, event}, data: value});
			} finally {
				await hub.call("remove_sender", {sender});
			}
			setState({done: `${sender} ${event} was sent, and the hub has taken it.`});
		} catch (err) {
			setState({error: err.message});
		}
	};
	return <>
		<h1>Send an event</h1>
		<p>The page becomes a sender of that name for a moment. The hub refuses a name that somebody else has.</p>
		<form class="form" onSubmit={send}>
			<label>Sender<input required maxLength="255" value={sender} placeholder="door" onInput={(e) => setSender(e.target.value)} /></label>
			<label>Event<input required maxLength="255" value={event} placeholder="opened" onInput={(e) => setEvent(e.target.value)} /></label>
			<label>Data<textarea rows="4" value={data} placeholder={`{"by": "anna"}`} onInput={(e) => setData(e.target.value)} /></label>
			<p class="muted">{text === "" ? "No data: null is sent." : typeof value === "string" && !text.startsWith('"') ? "This is not JSON, so it is sent as a text." : "Sent as JSON."}</p>
			<button class="primary" disabled={state && state.busy}>Send</button>
		</form>
		<div role="status">{state && state.done && <p class="doctor good">{harmless(state.done, 600)}</p>}</div>
		<Trouble error={state && state.error} />
		{sender && event && <Command>{command("send", sender, event, ...(text ? [text] : ["null"]))}</Command>}
	</>;
}
