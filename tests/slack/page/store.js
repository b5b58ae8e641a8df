// What the page knows, and its only way to the workspace.

export const store = {
  app: null,         // the app's name and its command
  me: null,          // the id of the person who looks
  state: null,       // what that person sees: /control/state
  mails: [],         // all mails that were sent, newest first
  away: false,       // the workspace does not answer
};

async function read(path, options) {
  const answer = await fetch(path, options);
  return answer.json();
}

export const post = (path, body) => read(path, { method: "POST", body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" } });

async function load() {
  const me = store.me;
  const [state, mail] = await Promise.all([
    read(`/control/state?brief&as=${encodeURIComponent(me)}`), read("/control/mails")]);
  if (me !== store.me) return;  // somebody else looks by now
  store.state = state;
  store.mails = (mail.mails ?? []).slice().reverse();
}

// Looks as that person from now on; the app's direct messages stand in their side bar.
export async function become(me) {
  store.me = me;
  await post("/control/direct", { user: me });
  await load();
}

// Begins as the first of the wanted people who exists.
export async function start(wanted) {
  store.app = await read("/control/app");
  const { people } = await read("/control/state?brief");
  await become(wanted.find((id) => people.some((p) => p.id === id && !p.deleted)));
}

// Calls `changed` after each change, for ever.
export async function watch(changed) {
  for (;;) {
    try {
      const known = store.away ? -1 : store.state.seq;  // after a restart it counts anew
      const { seq } = await read(`/control/wait?seq=${known}&timeout=25`);
      const news = seq !== store.state.seq || store.away;
      store.away = false;
      if (news) {
        await load();
        changed();
      }
    } catch {
      store.away = true;
      changed();
      await new Promise((later) => setTimeout(later, 1500));
    }
  }
}

// Names, as messages need them. `follow(url)` is true when the page opens the address itself.
export function world(follow) {
  const state = store.state;
  const find = (list, id) => list.find((thing) => thing.id === id);
  return {
    me: state.me, tz: state.me?.tz ?? "UTC", follow,
    person: (id) => find(state.people, id), group: (id) => find(state.groups, id),
    channel: (id) => find(state.channels, id),
    people: () => state.people.filter((p) => !p.deleted && !p.is_bot),
    channels: () => state.channels.filter((c) => !c.is_im),
    // All that can be named: a message is drawn again when one of these changes.
    names: JSON.stringify([state.people.map((p) => p.name), state.groups,
      state.channels.map((c) => c.name)]),
  };
}

export const myMails = () => store.mails.filter((m) =>
  store.state.me?.email && m.to.includes(store.state.me.email));

// -- what was read, kept by the browser for each person -------------------------------------------
const key = () => `read:${store.me}`;
const remembered = () => JSON.parse(localStorage.getItem(key()) ?? "{}");

export const lastRead = (place) => remembered()[place] ?? "0";

export function markRead(place, ts) {
  const marks = remembered();
  if ((marks[place] ?? "0") >= ts) return;
  localStorage.setItem(key(), JSON.stringify({ ...marks, [place]: ts }));
}
