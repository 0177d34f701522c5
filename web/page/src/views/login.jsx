// Asks who is there, if the hub lets in only whom it knows.

import {h} from "preact";
import {useState} from "preact/hooks";
import {Trouble} from "../parts.jsx";

export function Login({hub}) {
	const [by, setBy] = useState("password"), [name, setName] = useState(""), [secret, setSecret] = useState(""), [long, setLong] = useState(false);
	const {why, said} = hub.link.state;
	const submit = (e) => {
		e.preventDefault();
		hub.login(by === "token" ? {token: secret.trim()} : {identity: name.trim(), password: secret}, long);
	};
	return <main class="empty"><form class="form" onSubmit={submit}>
		<h2>Log in at this hub</h2>
		<div class="ranges" role="group" aria-label="by what to log in">{["password", "token"].map((k) => <button type="button" key={k} aria-pressed={by === k} onClick={() => { setBy(k); setSecret(""); }}>{k === "token" ? "Token" : "Name and password"}</button>)}</div>
		{by === "password" && <label>Name<input required autocomplete="username" autocapitalize="none" value={name} onInput={(e) => setName(e.target.value)} /></label>}
		<label>{by === "token" ? "Token" : "Password"}<input required type="password" autocomplete="current-password" placeholder={by === "token" ? "sgh_…" : ""} value={secret} onInput={(e) => setSecret(e.target.value)} /></label>
		<label class="check"><input type="checkbox" checked={long} onChange={(e) => setLong(e.target.checked)} /> Stay logged in on this device</label>
		{said && <Trouble error={why} />}
		<button class="primary">Log in</button>
		<p class="muted">Whoever runs the hub gives you one: <code>sighub password NAME</code>, or <code>sighub pair NAME --token</code>.</p>
	</form></main>;
}
