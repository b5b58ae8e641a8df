// Moments as Slack words them, in the time zone of the person who looks.

const DAY = 86_400_000;

function read(date, tz, options) {
  return new Intl.DateTimeFormat("en-US", { timeZone: tz, ...options }).format(date);
}

function ordinal(day) {
  const teen = day % 100 > 10 && day % 100 < 14;
  return day + (teen ? "th" : { 1: "st", 2: "nd", 3: "rd" }[day % 10] ?? "th");
}

const dayOf = (date, tz) => new Intl.DateTimeFormat("en-CA", { timeZone: tz }).format(date);

function relative(date, tz) {
  const day = dayOf(date, tz);
  for (const [word, offset] of [["today", 0], ["yesterday", -DAY], ["tomorrow", DAY]])
    if (day === dayOf(new Date(Date.now() + offset), tz)) return word;
  return null;
}

function long(date, tz, weekday) {
  const month = read(date, tz, { month: "long" });
  const day = ordinal(Number(read(date, tz, { day: "numeric" })));
  const far = Math.abs(date - Date.now()) > 182 * DAY;
  const year = far ? `, ${read(date, tz, { year: "numeric" })}` : "";
  return `${weekday ? `${read(date, tz, { weekday: "long" })}, ` : ""}${month} ${day}${year}`;
}

const short = (date, tz) => read(date, tz, { month: "short", day: "numeric", year: "numeric" });

export function ago(date) {
  const seconds = Math.round((Date.now() - date) / 1000);
  const away = Math.abs(seconds);
  if (away < 45) return seconds >= 0 ? "just now" : "in a moment";
  const [count, unit] = away < 3600 ? [Math.round(away / 60), "minute"]
    : away < 86400 ? [Math.round(away / 3600), "hour"] : [Math.round(away / 86400), "day"];
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

export const clock = (date, tz) => read(date, tz, { hour: "numeric", minute: "2-digit" });

export const tsDate = (ts) => new Date(Number(ts) * 1000);

export const full = (date, tz) =>
  `${long(date, tz, true)} at ${read(date, tz, { hour: "numeric", minute: "2-digit", second: "2-digit" })}`;

const capital = (word) => word && word[0].toUpperCase() + word.slice(1);

// The heading over a day's messages.
export const dayLabel = (date, tz) => capital(relative(date, tz)) ?? long(date, tz, true);
export { dayOf };

const TOKENS = {
  date_num: (d, tz) => dayOf(d, tz),
  date: (d, tz) => long(d, tz),
  date_short: short,
  date_long: (d, tz) => long(d, tz, true),
  date_pretty: (d, tz) => relative(d, tz) ?? long(d, tz),
  date_short_pretty: (d, tz) => relative(d, tz) ?? short(d, tz),
  date_long_pretty: (d, tz) => relative(d, tz) ?? long(d, tz, true),
  time: clock,
  time_secs: (d, tz) => read(d, tz, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (d) => ago(d),
};

// "{date_short_pretty} at {time}" for a moment in seconds; null when a token is unknown.
export function dateText(seconds, format, tz, first) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return null;
  let known = true;
  const text = format.replace(/\{(\w+)\}/g, (_, token) => {
    if (!Object.hasOwn(TOKENS, token)) known = false;
    return known ? TOKENS[token](date, tz) : "";
  });
  return known ? (first ? capital(text) : text) : null;
}
