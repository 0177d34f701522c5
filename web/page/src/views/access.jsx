// For those who run the hub: who may do what, whom it knows, and who is let in.

import {Fragment, h} from "preact";
import {useState} from "preact/hooks";
import {Asking, Command, Empty, Name, Pill, Since, Trouble, usePolled} from "../parts.jsx";
import {ago, harmless, several} from "../text.js";
import {now} from "../time.js";

const verbs = ["add", "trigger", "listen", "request", "admin"];

export function Access({hub}) {
	const open = hub.self && hub.self.open;
	const [turn, setTurn] = useState(0);
	const {value, error} = usePolled(hub, async () => open ? null : {table: await hub.call("list_access"), known: await hub.call("list_identities")}, 4000, turn);
	if (open) return <Empty title="Everybody who reaches this hub may do everything"><p>To let in only whom you know, each for what is theirs, set up access on the machine of the hub:</p><Command>sudo sighub setup</Command></Empty>;
	const again = () => setTurn(turn + 1);
	if (!value) return <Asking title="Access" error={error} />;
	const {table, known} = value;
	return <>
		<div class="bar"><h1>Access</h1><p class="summary">{several(known.identities.length, "identity").replace("ys", "ies")} known; the rules are in <Name most={200}>{table.file}</Name></p></div>
		{table.pending && <p class="doctor note">{harmless(table.pending, 400)}</p>}
		{(table.warnings || []).map((w, i) => <p class="doctor note" key={i}>{harmless(w, 300)}</p>)}
		<LetIn hub={hub} roles={[...new Set(["viewer", "operator", "sender", "admin", ...table.rows.flatMap((r) => r.roles || [])])]} done={again} />
		<section class="panel"><header><h2>Whom the hub knows</h2></header>
			{known.identities.length === 0 && <p class="muted">Nobody yet by a key, a token, a password or a device.</p>}
			{(known.invited || []).map((o) => <p key={o.name}><b><Name>{o.name}</Name></b> is invited, for another {Math.ceil(o.left / 60)} min{o.failed > 0 && `; ${several(o.failed, "wrong try").replace("ys", "ies")}`} <Sure text="take back" act={() => hub.call("cancel_invitation", {name: o.name}).then(again)} /></p>)}
			{known.identities.length > 0 && <table class="list stack"><thead><tr><th>who</th><th>roles</th><th>by</th><th>since</th><th>used</th><th /></tr></thead><tbody>
				{known.identities.flatMap((id) => id.credentials.map((c, i) => <tr key={id.name + c.id}>
					<td data-name="who">{i === 0 && <b><Name>{id.name}</Name></b>}</td><td data-name="roles">{i === 0 && (id.roles || []).join(", ")}</td>
					<td data-name="by">{c.kind} <span class="muted"><Name most={40}>{c.label || (c.proof || "").slice(0, 16)}</Name></span></td>
					<td data-name="since">{ago(now() - Date.parse(c.created))}</td><td data-name="used">{c.used ? ago(now() - Date.parse(c.used)) : "never"}</td>
					<td>{c.revoked ? <Pill kind="off">revoked</Pill> : <Sure text="revoke" act={() => hub.call("revoke", {name: id.name, credential: c.id}).then(again)} />}</td>
				</tr>))}
			</tbody></table>}
		</section>
		<section class="panel"><header><h2>Who may do what</h2><Reload hub={hub} done={again} /></header><div class="scroll"><table class="list stack"><thead><tr><th>who</th><th>roles</th>{verbs.map((v) => <th key={v}>{v}</th>)}<th>by</th></tr></thead><tbody>
			{table.rows.map((r, i) => <tr key={i}><td data-name="who"><span class="muted">{r.section}</span> <b><Name>{r.who}</Name></b></td><td data-name="roles">{(r.roles || []).join(", ")}</td>
				{verbs.map((v) => <td data-name={v} key={v}>{r.may[v] ? <Name most={120}>{r.may[v].join("; ")}</Name> : <span class="muted">–</span>}</td>)}<td data-name="by" class="muted"><Name most={120}>{r.place.replace(/^.*\//, "")}</Name></td></tr>)}
		</tbody></table></div><Command>sighub can --all</Command></section>
	</>;
}

// Sure is a button that has to be pressed twice.
function Sure({text, act}) {
	const [asked, set] = useState(false), [error, setError] = useState("");
	return <><button type="button" class={asked ? "sure" : "quiet"} onBlur={() => set(false)} onClick={() => asked ? (set(false), act().catch((err) => setError(err.message))) : set(true)}>{asked ? "really " + text : text}</button><Trouble error={error} /></>;
}

function Reload({hub, done}) {
	const [said, set] = useState(null);
	const ask = (dry) => hub.call("reload_access", {dry_run: dry}).then((r) => { set({...r, dry}); done(); }, (err) => set({faults: [err.message]}));
	const lines = said && (said.faults || (said.changes || []).flatMap((c) => [...(c.gains || []).map((t) => `+ ${c.who}: ${t}`), ...(c.loses || []).map((t) => `− ${c.who}: ${t}`)]));
	return <>
		<button type="button" class="quiet" onClick={() => ask(true)}>what has changed in the file?</button>
		{said && <div class="said" role="status"><pre>{lines.length ? harmless(lines.join("; "), 2000) : said.dry ? "Nobody would gain or lose anything." : "It is in force."}</pre>{said.dry && !said.faults && <button type="button" onClick={() => ask(false)}>put it into force</button>}</div>}
	</>;
}

const ways = [["phone", "a phone or a browser"], ["password", "a person, by a password"], ["machine", "a machine with sighub"], ["program", "a program, by a token"]];

// LetIn lets somebody in.
function LetIn({hub, roles, done}) {
	const [way, setWay] = useState("phone"), [name, setName] = useState(""), [role, setRole] = useState("viewer"), [secret, setSecret] = useState("");
	const [got, set] = useState({});
	const submit = async (e) => {
		e.preventDefault();
		set({});
		const grant = {name: name.trim(), roles: role ? [role] : []};
		try {
			let text = "", what = "", qr = true;
			if (way === "password") {
				await hub.call("set_password", {...grant, password: secret});
				what = "can log in by the password now.", qr = false;
			} else if (way === "machine") {
				const i = await hub.call("invite", grant);
				text = "sighub join " + i.invitation, what = `types this within ${Math.round(i.seconds / 60)} minutes:`, qr = i.invitation;
			} else {
				const t = await hub.call("make_token", {...grant, label: way === "phone" ? "page" : ""});
				const here = /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
				const base = here && t.address ? `https://${t.address}/` : new URL(".", document.baseURI).href;
				text = way === "phone" ? base + "#/in/" + t.token : t.token;
				what = way === "phone" ? here && !t.address ? "cannot reach this hub: it listens on this machine alone. The address would be:" : "opens this address, or points the camera at it:" : "says this token; it is shown only now:";
				qr = way === "phone" && text;
			}
			set({name: grant.name, text, what, rows: qr && (await hub.call("draw_qr", {text: qr})).rows});
			setSecret("");
			done();
		} catch (err) {
			set({error: err.message});
		}
	};
	return <section class="panel"><header><h2>Let somebody in</h2></header>
		<form class="row" onSubmit={submit}>
			<label>Whom <select value={way} onChange={(e) => { setWay(e.target.value); set({}); }}>{ways.map(([k, text]) => <option key={k} value={k}>{text}</option>)}</select></label>
			<label>Name <input required pattern="[a-z0-9]([a-z0-9._\-]*[a-z0-9])?" title="small letters and digits, and - . _ between them" maxLength="64" autocapitalize="none" value={name} onInput={(e) => setName(e.target.value)} /></label>
			<label>Role <select value={role} onChange={(e) => setRole(e.target.value)}>{roles.map((r) => <option key={r} value={r}>{r}</option>)}<option value="">as it has</option></select></label>
			{way === "password" && <label>Password <input required type="password" autocomplete="new-password" minLength="8" value={secret} onInput={(e) => setSecret(e.target.value)} /></label>}
			<button class="primary">Let in</button>
		</form>
		<Trouble error={got.error} />
		{got.what && <div class="invited" role="status"><p><b><Name>{got.name}</Name></b> {got.what}</p>{got.text && <Command>{got.text}</Command>}{got.rows && <QR rows={got.rows} />}{got.text && <p class="muted">It is a secret: whoever has it is let in.</p>}</div>}
	</section>;
}

// QR draws a code: dark on light, whatever colours the page has.
function QR({rows}) {
	const n = rows.length + 8;
	const path = rows.map((row, y) => [...row].map((c, x) => c === "#" ? `M${x + 4} ${y + 4}h1v1h-1z` : "").join("")).join("");
	return <svg class="qr" viewBox={`0 0 ${n} ${n}`} role="img" aria-label="the same as a QR code" shape-rendering="crispEdges"><path fill="#fff" d={`M0 0h${n}v${n}H0z`} /><path d={path} /></svg>;
}
