import type {
  Check,
  EventLine,
  MemberRow,
  MembersView,
  PlanLine,
  StatusView,
  UpgradePlanView,
} from './face.ts';

/** The status page: one HTML document without scripts, which reloads itself. All texts are escaped. */
export function renderPage(status: StatusView, members: MembersView, ready: Check): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>${escape(status.cluster)} on ${escape(status.instanceId)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(status.cluster)}</h1>
<p><span class="${ready.ok ? 'good' : 'bad'}">${ready.ok ? 'ready' : 'not ready'}</span> ${escape(sentence(ready.reason))}</p>
<p>${escape(sentence(status.phase))}</p>
</header>
<main>
<h2>Members</h2>
${renderMembers(members)}
<h2>Plan</h2>
${renderPlan(status.plan)}
${status.upgrade === null ? '' : renderUpgrade(status.upgrade)}<h2>Events</h2>
${renderEvents(status.events)}
</main>
<footer>
<p>${escape(status.instanceId)} in ${escape(status.zone)}, ${escape(status.address)}; etcd-appliance ${escape(status.version)};
claim ${status.claim === null ? 'unknown' : `${escape(status.claim.state)}, epoch ${status.claim.epoch}`};
observed ${escape(status.observedAt ?? 'never')}; AWS asked ${escape(members.fleetObservedAt ?? 'never')}.
<a href="/members">members</a> <a href="/status">status</a> <a href="/metrics">metrics</a></p>
</footer>
</body>
</html>
`;
}

const STYLE = `
:root{color-scheme:light dark;--edge:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem}
h1{margin:0;font-size:1.5rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}header p{margin:.25rem 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--edge);white-space:nowrap}
td.wide{white-space:normal;width:100%}.good,.bad{font-weight:600}
.good{color:light-dark(#176b2c,#6fd58a)}.bad{color:light-dark(#a3190f,#ff9a8f)}
footer{margin-top:2rem;font-size:.85rem}a{color:inherit}`;

const COLUMNS = [
  'Instance',
  'Zone',
  'Address',
  'Role',
  'Health',
  'Lifecycle',
  'Raft index',
  'etcd',
  'Member',
];

function renderMembers({ members, unknown }: MembersView): string {
  const notes = unknown.map((clause) => `<p class="bad">Unknown: ${escape(clause)}.</p>`).join('\n');
  if (members.length === 0) return `<p>None seen yet.</p>${notes}`;
  return `${table(COLUMNS, members.map(memberCells))}${notes}`;
}

function memberCells(row: MemberRow): readonly string[] {
  const health = row.health === 'unknown' ? 'unknown' : mark(row.health === 'healthy', row.health);
  const texts = [row.lifecycle, row.raftIndex, row.version, row.memberId].map((value) => cell(value));
  return [
    cell(row.instanceId),
    cell(row.zone),
    cell(row.address),
    cell(row.role),
    `<td>${health}</td>`,
    ...texts,
  ];
}

function renderPlan(plan: readonly PlanLine[]): string {
  if (plan.length === 0) return '<p>Nothing to do.</p>';
  return `<ul>${plan.map((line) => `<li>${escape(sentence(line.sentence))}</li>`).join('\n')}</ul>`;
}

/** Who steps or why nobody does, who is still to step, and what of the preflight is amiss. */
function renderUpgrade({ plan, checks, waiting }: UpgradePlanView): string {
  const amiss = checks.filter((it) => !it.ok);
  const fine = checks.length - amiss.length;
  const lines = [
    ...(plan === null ? [] : [escape(sentence(plan.sentence))]),
    ...(waiting.length === 0 ? [] : [escape(`Still to step in this round: ${waiting.join(', ')}.`)]),
    ...amiss.map((it) => `${mark(false, it.code)} ${escape(sentence(it.sentence))}`),
    ...(checks.length === 0 ? [] : [mark(amiss.length === 0, `${fine} of ${checks.length} checks pass`)]),
  ];
  return `<h2>Upgrade</h2>\n<ul>${lines.map((line) => `<li>${line}</li>`).join('\n')}</ul>\n`;
}

const SHOWN_EVENTS = 25;

function renderEvents(events: readonly EventLine[]): string {
  if (events.length === 0) return '<p>None yet.</p>';
  const newest = events.slice(-SHOWN_EVENTS).toReversed();
  const rows = newest.map((event) => [
    cell(event.at),
    cell(event.level),
    cell(event.component),
    `<td class="wide">${escape(event.message)}</td>`,
  ]);
  return table(['Time', 'Level', 'Part', 'What'], rows);
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.join('')}</tr>`).join('\n');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** Reasons are clauses, so that they fit into a log line: a page begins them large and ends them with a full stop. */
function sentence(text: string): string {
  const large = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(large) || large === '' ? large : `${large}.`;
}

function cell(value: string | number | null): string {
  return `<td>${value === null ? '' : escape(String(value))}</td>`;
}

function mark(good: boolean, text: string): string {
  return `<span class="${good ? 'good' : 'bad'}">${escape(text)}</span>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
