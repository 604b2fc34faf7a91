// The form: the access key, and the parameters of a stream.
import { AccessKey } from "./sigv4.mjs";
import { element, languageName } from "./view.mjs";
import { sampleRate } from "./microphone.mjs";

export class Settings {
  #form;
  #key;
  #options = new Set();

  constructor(form) {
    this.#form = form;
    this.#nameLanguages();
    for (const code of ["en-US", "es-US"]) this.#addOption(code);
    const { mode, personal, add, stability } = form.elements;
    for (const field of [mode, personal, stability]) field.addEventListener("change", () => this.#arrange());
    add.addEventListener("change", () => {
      this.#addOption(add.value);
      add.value = "";
    });
    form.querySelector("#forget").addEventListener("click", () => {
      this.forget();
      form.elements.id.focus();
    });
    this.#arrange();
  }

  /** Takes the access key that was typed, out of the page. The secret is a key that can't be read from then on. */
  async takeKey() {
    const { id, secret, token } = this.#form.elements;
    if (!this.#key) {
      this.#key = await AccessKey.from(id.value.trim(), secret.value.trim(), token.value.trim());
      secret.value = token.value = "";
      this.#arrange();
    }
    return this.#key;
  }

  /** Forgets the access key. */
  forget() {
    this.#key = undefined;
    this.#arrange();
  }

  get region() {
    return this.#form.elements.region.value.trim();
  }

  /** What keeps the settings from being used, for people; null when nothing does. */
  problem() {
    const identified = this.#form.elements.mode.value !== "one";
    return identified && this.#options.size < 2 ? "To identify languages, name two at least that may be spoken." : null;
  }

  /** The parameters of a stream, as its URL names them. */
  parameters() {
    const field = this.#form.elements;
    const out = { "media-encoding": "pcm", "sample-rate": String(sampleRate) };
    const identified = field.mode.value !== "one";
    if (!identified) {
      out["language-code"] = field.language.value;
    } else {
      out[field.mode.value] = "true";
      out["language-options"] = [...this.#options].join(",");
      if (field.mode.value === "identify-language" && field.preferred.value) out["preferred-language"] = field.preferred.value;
    }
    if (field.stability.value) {
      out["enable-partial-results-stabilization"] = "true";
      out["partial-results-stability"] = field.stability.value;
    }
    if (field.speakers.checked) out["show-speaker-label"] = "true";
    const filters = field.filter.value.split(",").map((name) => name.trim()).filter(Boolean).join(",");
    if (filters) {
      out[identified ? "vocabulary-filter-names" : "vocabulary-filter-name"] = filters;
      out["vocabulary-filter-method"] = field.method.value;
    }
    if (field.personal.value && !identified) {
      out[field.personal.value] = "PII";
      const types = [...this.#form.querySelectorAll("[name=entity]")];
      const chosen = types.filter((t) => t.checked).map((t) => t.value);
      if (chosen.length > 0 && chosen.length < types.length) out["pii-entity-types"] = chosen.join(",");
    }
    return out;
  }

  /** Lets the settings be changed, or not while a stream has them. */
  lock(locked) {
    for (const set of this.#form.querySelectorAll("fieldset")) set.disabled = locked;
  }

  #nameLanguages() {
    const { language, add } = this.#form.elements;
    const named = [...language.options].map(({ value }) => [languageName(value), value]);
    named.sort(([a], [b]) => a.localeCompare(b));
    for (const [name, code] of named) add.append(new Option(name, code));
    const options = named.map(([name, code]) => new Option(name, code));
    language.replaceChildren(...options);
    const mine = navigator.languages.find((code) => named.some(([, known]) => known === code));
    language.value = mine ?? "en-US";
  }

  #addOption(code) {
    const box = this.#form.querySelector("#options");
    if (!code || this.#options.has(code)) return;
    // Streams take one variant of a language: the new one replaces it.
    const variant = [...this.#options].find((other) => other.split("-")[0] === code.split("-")[0]);
    if (variant) box.querySelector(`[data-code="${variant}"]`).click();
    this.#options.add(code);
    const chip = element("button", "chip", languageName(code));
    chip.type = "button";
    chip.dataset.code = code;
    chip.setAttribute("aria-label", `Remove ${languageName(code)}`);
    chip.addEventListener("click", () => {
      this.#options.delete(code);
      chip.remove();
      this.#arrange();
    });
    box.append(chip);
    this.#arrange();
  }

  /** Shows the fields that count. */
  #arrange() {
    const { mode, personal, preferred, id, secret } = this.#form.elements;
    const show = (name, shown) => (this.#form.querySelector(name).hidden = !shown);
    const identified = mode.value !== "one";
    show("#one-language", !identified);
    show("#several-languages", identified);
    show("#preferred-language", mode.value === "identify-language");
    show("#personal-fields", !identified);
    show("#personal-unavailable", identified);
    show("#entity-types", personal.value !== "");
    show("#redaction-note", personal.value === "content-redaction-type");
    const kept = preferred.value;
    preferred.replaceChildren(new Option("None", ""), ...[...this.#options].map((code) => new Option(languageName(code), code)));
    preferred.value = this.#options.has(kept) ? kept : "";
    show("#key-fields", !this.#key);
    show("#key-kept", this.#key);
    id.required = secret.required = !this.#key;
    this.#form.querySelector("#key-id").textContent = this.#key?.id ?? "";
  }
}
