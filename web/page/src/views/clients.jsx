// The clients: who is connected, what waits for whom, what was refused.

import {Fragment, h} from "preact";
import {Asking, Command, Name, Pill, Since, usePolled} from "../parts.jsx";
import {ago, bytes, counts, harmless, several} from "../text.js";
import {now} from "../time.js";

async function all(hub) {
	const list = [];
	for (let after; ;) {
		const page = await hub.call("list_clients", after ? {after} : {});
		list.push(...page.clients);
		if (!page.more || page.clients.length === 0 || list.length >= 2000) return {list, more: page.more, refused: page.refused};
		after = page.clients.at(-1).id;
	}
}

export function Clients({hub}) {
	const {value, error} = usePolled(hub, () => all(hub), 3000);
	if (!value) return <Asking title="Clients" error={error} />;
	return <>
		<div class="bar"><h1>Clients</h1><p class="summary">{several(value.list.length, "client")} connected; a device is a client, too</p></div>
		<div class="scroll"><table class="list stack">
			<thead><tr><th>client</th><th>since</th><th class="n">senders</th><th class="n">listeners</th><th class="n">waiting</th><th class="n">held</th><th>refused</th><th>missed</th></tr></thead>
			<tbody>{value.list.map((c) => <tr key={c.id}>
				<td data-name="client"><b><Name>{c.name || c.addr || "client " + c.id}</Name></b> {c.name && c.addr && <span class="muted"><Name>{c.addr}</Name></span>} {!c.hello && <Pill kind="off">legacy</Pill>}{c.uid && <span class="muted"> <Name>{c.uid}</Name></span>}</td>
				<td data-name="since"><Since t={Date.parse(c.since)} /></td>
				<td class="n" data-name="senders">{c.senders}</td><td class="n" data-name="listeners">{c.listeners}</td>
				<td class="n" data-name="waiting">{c.waiting}{c.behind && <Pill kind="bad">behind</Pill>}</td>
				<td class="n" data-name="held">{bytes(c.held)}</td>
				<td data-name="refused">{counts(c.refused)}{c.latest && <span class="muted" title={harmless(c.latest.error)}> {ago(now() - Date.parse(c.latest.time))}: {harmless(c.latest.what, 60)}: {harmless(c.latest.error, 120)}</span>}</td>
				<td data-name="missed">{counts(c.missed)}</td>
			</tr>)}</tbody>
		</table></div>
		{value.more && <p class="muted">There are more. The command line has all.</p>}
		{value.refused && <p>Refused of others, which never became clients: {counts(value.refused)}</p>}
		<Command>sighub clients</Command>
	</>;
}
