// The transcript on the page: finals settle, what is partial is drawn anew each time, at its place.
import { breaks, clock, join, speakerName, turnsOf } from "./transcript.mjs";

const languages = new Intl.DisplayNames(["en"], { type: "language", languageDisplay: "standard" });

/** A language's name: "French (Canada)" for "fr-CA". */
export function languageName(code) {
  try {
    return languages.of(code);
  } catch {
    return code; // not one that the browser knows
  }
}

/** The shades of confidence, from the surest; the legend and the style sheet have the same. */
const shades = [[0.9, "sure"], [0.75, "likely"], [0.5, "unsure"], [0, "guess"]];

export class View {
  #box;
  #announcer;
  #transcript;
  #settled = 0; // how many entries are drawn for good
  #last; // the last settled turn, and its paragraph
  #passing = []; // what is removed at the next drawing

  constructor(box, announcer, transcript) {
    this.#box = box;
    this.#announcer = announcer;
    this.#transcript = transcript;
  }

  /** Draws what has changed. `over` says that partial results get no finals any more. */
  draw(over = false) {
    const { entries } = this.#transcript;
    const follow = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 80;
    for (const node of this.#passing) node.remove();
    this.#passing = [];
    for (; this.#settled < entries.length && (over || !entries[this.#settled].result.IsPartial); this.#settled++) {
      const entry = entries[this.#settled];
      this.#last = this.#draw(entry, this.#last, true);
      if (!entry.result.IsPartial) this.#announce(entry.result);
    }
    let last = this.#last;
    for (const entry of entries.slice(this.#settled)) last = this.#draw(entry, last, false);
    if (follow) this.#box.scrollTop = this.#box.scrollHeight;
  }

  clear() {
    this.#box.querySelectorAll("p.said").forEach((p) => p.remove());
    this.#announcer.replaceChildren();
    this.#settled = 0;
    this.#last = undefined;
    this.#passing = [];
  }

  /** Draws an entry behind the last turn and returns its own last one. */
  #draw(entry, last, settled) {
    const entities = entry.result.Alternatives[0].Entities ?? [];
    for (const turn of turnsOf(entry)) {
      let paragraph = last?.paragraph;
      if (breaks(last, turn)) {
        paragraph = this.#paragraph(turn, last && last.session !== turn.session);
        if (!settled) this.#passing.push(paragraph);
      }
      const span = element("span", turn.partial ? "partial" : "final");
      turn.items.forEach((item, i) => {
        if (i > 0 ? item.Type === "pronunciation" : paragraph.querySelector(".final, .partial")) span.append(" ");
        span.append(this.#item(item, turn, entities));
      });
      paragraph.append(span);
      if (!settled) this.#passing.push(span);
      last = { ...turn, speaker: turn.speaker ?? last?.speaker, paragraph };
    }
    return last;
  }

  /** A paragraph; `anew` where another session begins, whose speakers are numbered anew. */
  #paragraph({ start, speaker, language, session }, anew) {
    const paragraph = element("p", anew ? "said anew" : "said");
    const aside = element("span", "aside");
    aside.append(element("time", "", clock(start)));
    if (speaker !== undefined) aside.append(" ", element("b", `speaker speaker-${Number(speaker) % 6}`, speakerName(speaker)));
    if (language) aside.append(" ", element("span", "language", languageName(language)));
    paragraph.lang = language ?? session.parameters["language-code"] ?? "";
    paragraph.append(aside);
    this.#box.append(paragraph);
    return paragraph;
  }

  #item(item, { offset, partial }, entities) {
    if (item.Type !== "pronunciation") return item.Content;
    const word = element("span", "word", item.Content);
    const notes = [];
    if (item.Confidence !== undefined) {
      word.classList.add(shades.find(([least]) => item.Confidence >= least)[1]);
      notes.push(`${Math.floor(item.Confidence * 100)} % sure`);
    }
    if (partial && item.Stable) word.classList.add("stable");
    const middle = (item.StartTime + item.EndTime) / 2;
    const entity = entities.find((e) => middle >= e.StartTime && middle <= e.EndTime);
    if (entity) {
      word.classList.add("entity");
      notes.push(`personal: ${entity.Type.toLowerCase().replaceAll("_", " ")}`);
    }
    if (item.VocabularyFilterMatch) {
      word.classList.add("filtered");
      notes.push("in a vocabulary filter");
    }
    notes.push(`${clock(item.StartTime + offset, true)} to ${clock(item.EndTime + offset, true)}`);
    word.title = notes.join(" · ");
    return word;
  }

  /** Has screen readers say a final. */
  #announce(result) {
    this.#announcer.append(element("p", "", join(result.Alternatives[0].Items)));
    while (this.#announcer.children.length > 5) this.#announcer.firstChild.remove();
  }
}

/** An element with a class and a text. */
export function element(name, kind = "", text = "") {
  const e = document.createElement(name);
  if (kind) e.className = kind;
  if (text) e.textContent = text;
  return e;
}
