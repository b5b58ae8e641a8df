// Shortcodes that templates and people use here. An unknown one stays as it was typed.

const EMOJI = {
  "+1": "👍", "-1": "👎", alarm_clock: "⏰", arrow_right: "➡️", bar_chart: "📊", bell: "🔔",
  blue_heart: "💙", broom: "🧹", bug: "🐛", bulb: "💡", calendar: "📆", chart_with_upwards_trend: "📈",
  clap: "👏", clock1: "🕐", cloud: "☁️", coffee: "☕", construction: "🚧", email: "📧",
  envelope: "✉️", exclamation: "❗", eyes: "👀", fire: "🔥", gear: "⚙️", green_heart: "💚",
  hammer_and_wrench: "🛠️", heart: "❤️", heavy_check_mark: "✔️", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", inbox_tray: "📥", information_source: "ℹ️", key: "🔑",
  large_blue_circle: "🔵", large_green_circle: "🟢", large_orange_circle: "🟠",
  large_red_circle: "🔴", large_yellow_circle: "🟡", leftwards_arrow_with_hook: "↩️", link: "🔗",
  lock: "🔒", mag: "🔍", mailbox: "📫", memo: "📝", moneybag: "💰", money_with_wings: "💸",
  moon: "🌔", mute: "🔇", no_entry: "⛔", no_entry_sign: "🚫", ok: "🆗", ok_hand: "👌",
  outbox_tray: "📤", package: "📦", page_facing_up: "📄", pause_button: "⏸️", pencil: "📝", pencil2: "✏️",
  point_right: "👉", pray: "🙏", question: "❓", raised_hand: "✋", recycle: "♻️",
  red_circle: "🔴", repeat: "🔁", robot_face: "🤖", rocket: "🚀", rotating_light: "🚨",
  scroll: "📜", seedling: "🌱", shield: "🛡️", slightly_smiling_face: "🙂", smile: "😄",
  sleeping: "😴", snowflake: "❄️", sparkles: "✨", speech_balloon: "💬", star: "⭐",
  stopwatch: "⏱️", sunny: "☀️", tada: "🎉", thinking_face: "🤔", thought_balloon: "💭",
  thumbsup: "👍", thumbsdown: "👎", triangular_flag_on_post: "🚩", unlock: "🔓", warning: "⚠️",
  wastebasket: "🗑️", wave: "👋", white_check_mark: "✅", white_circle: "⚪",
  white_large_square: "⬜", white_medium_small_square: "◽", wrench: "🔧", x: "❌",
  yellow_heart: "💛", zap: "⚡", zzz: "💤", vertical_traffic_light: "🚦", arrows_counterclockwise: "🔄",
  black_circle: "⚫", double_vertical_bar: "⏸️", arrow_forward: "▶️", black_square_for_stop: "⏹️",
  arrow_up: "⬆️", arrow_down: "⬇️", lower_left_ballpoint_pen: "🖊️", receipt: "🧾", hammer: "🔨",
  hatching_chick: "🐣", crescent_moon: "🌙", sunrise: "🌅", level_slider: "🎚️", no_bell: "🔕",
};

export const emoji = (name) => (Object.hasOwn(EMOJI, name) ? EMOJI[name] : null);

// Plain text in which only shortcodes are replaced.
export const withEmoji = (text) =>
  text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
