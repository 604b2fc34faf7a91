// What was said so far: the results of one stream after the other, and the files that are made of them.

/** Seconds as 1:02:03, with three digits behind it where `exact`. */
export function clock(seconds, exact = false) {
  const ms = Math.round(Math.max(0, seconds) * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(ms / 3_600_000), minutes = Math.floor(ms / 60_000) % 60, rest = Math.floor(ms / 1000) % 60;
  if (exact) return `${two(hours)}:${two(minutes)}:${two(rest)}.${String(ms % 1000).padStart(3, "0")}`;
  return (hours ? `${hours}:${two(minutes)}` : `${minutes}`) + `:${two(rest)}`;
}

export const speakerName = (speaker) => `Speaker ${Number(speaker) + 1}`;

/** A pause after which a new paragraph begins, in seconds. */
const pause = 2.5;

export class Transcript {
  /** Results in the order in which they were first heard of: {session, offset, result}. Partial ones change in place. */
  entries = [];
  #places = new Map();
  #session = null;

  /** Begins a stream; offset is how many seconds of audio came before it. */
  begin(session, offset) {
    this.#session = { ...session, offset };
    this.#places.clear();
  }

  /** Takes a result of AWS's: a new one, or the next state of one that is there. */
  add(result) {
    const place = this.#places.get(result.ResultId);
    const entry = { session: this.#session, offset: this.#session.offset, result };
    if (place === undefined) {
      this.#places.set(result.ResultId, this.entries.length);
      this.entries.push(entry);
    } else {
      this.entries[place] = entry;
    }
  }

  clear() {
    this.entries = [];
    this.#places.clear();
  }

  get empty() {
    return this.entries.every(({ result }) => result.Alternatives[0].Items.length === 0);
  }

  /** Text, a paragraph a line, with who speaks where that is known. */
  text() {
    const lines = [];
    for (const { speaker, runs } of paragraphs(this.entries)) {
      const words = runs.map((run) => join(run.items)).join(" ");
      lines.push(speaker === undefined ? words : `${speakerName(speaker)}: ${words}`);
    }
    return lines.map((line) => line + "\n").join("");
  }

  /** WebVTT (W3C) of finals, in cues of some words. */
  vtt() {
    const cues = ["WEBVTT"];
    for (const { speaker, runs } of paragraphs(this.entries.filter(({ result }) => !result.IsPartial))) {
      for (const { items, offset } of runs) {
        for (const cue of cut(items)) {
          const text = join(cue).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
          const from = cue[0].StartTime + offset, to = Math.max(cue.at(-1).EndTime + offset, from + 0.001);
          cues.push(`${clock(from, true)} --> ${clock(to, true)}\n${speaker === undefined ? "" : `<v ${speakerName(speaker)}>`}${text}`);
        }
      }
    }
    return cues.join("\n\n") + "\n";
  }

  /** The results as they came, by stream. */
  json() {
    const streams = [];
    for (const { session, result } of this.entries) {
      if (streams.at(-1)?.session !== session) streams.push({ session, results: [] });
      streams.at(-1).results.push(result);
    }
    const shown = streams.map(({ session, results }) => ({
      SessionId: session.id, StartedAt: session.startedAt, Offset: session.offset, Parameters: session.parameters, Results: results,
    }));
    return JSON.stringify({ Streams: shown }, null, 2) + "\n";
  }
}

/** Items as text: marks stand at the word before them. */
export function join(items) {
  return items.map((item, i) => (i > 0 && item.Type === "pronunciation" ? " " : "") + item.Content).join("");
}

/** Parts of a result that one speaker says: {speaker, items}. Marks belong to the word before them. */
export function turns(result) {
  const out = [];
  for (const item of result.Alternatives[0].Items) {
    const last = out.at(-1);
    const speaker = item.Type === "pronunciation" ? item.Speaker : undefined;
    if (!last || (speaker !== undefined && last.speaker !== undefined && speaker !== last.speaker)) {
      out.push({ speaker, items: [item] });
      continue;
    }
    last.speaker ??= speaker;
    last.items.push(item);
  }
  return out;
}

/** Whether a turn begins a paragraph, after the last one's {speaker, language, end, session}. */
export function breaks(last, next) {
  if (!last || last.session !== next.session || next.start - last.end > pause || last.language !== next.language) return true;
  return next.speaker !== undefined && next.speaker !== last.speaker;
}

/** The turns of an entry with what `breaks` looks at. */
export function turnsOf({ session, offset, result }) {
  return turns(result).map(({ speaker, items }) => ({
    session, offset, items, speaker, language: result.LanguageCode, partial: result.IsPartial,
    start: items[0].StartTime + offset, end: items.at(-1).EndTime + offset,
  }));
}

function paragraphs(entries) {
  const out = [];
  let last;
  for (const turn of entries.flatMap(turnsOf)) {
    if (breaks(last, turn)) out.push({ speaker: turn.speaker, runs: [] });
    out.at(-1).runs.push(turn);
    last = { ...turn, speaker: turn.speaker ?? last?.speaker };
  }
  return out;
}

// The longest text of a cue, in characters: two lines of subtitles.
const cueText = 80;

/** Cuts items into cues, behind marks where it can. */
function cut(items) {
  const cues = [[]];
  for (const item of items) {
    const cue = cues.at(-1), text = join(cue).length;
    const ended = cue.length > 0 && cue.at(-1).Type === "punctuation" && text > cueText / 2;
    if (item.Type === "pronunciation" && cue.length > 0 && (ended || text + 1 + item.Content.length > cueText)) cues.push([item]);
    else cue.push(item);
  }
  return cues.filter((cue) => cue.length > 0);
}
