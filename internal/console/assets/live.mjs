// The live page: puts the parts together. Nothing of it is stored, in the browser or elsewhere.
import { Microphone, sampleRate, unavailable } from "./microphone.mjs";
import { Settings } from "./settings.mjs";
import { presign } from "./sigv4.mjs";
import { path, Stream } from "./stream.mjs";
import { clock, Transcript } from "./transcript.mjs";
import { languageName, View } from "./view.mjs";

const $ = (id) => document.getElementById(id);
const settings = new Settings($("settings"));
const transcript = new Transcript();
const view = new View($("transcript"), $("announcer"), transcript);
const socket = document.querySelector("meta[name=dictum-socket]").content;

// What is going on: "idle", "starting", "listening", "finishing".
let state = "idle";
let microphone, stream, awake;
let samples = 0; // of this stream
let before = 0; // seconds of audio of the streams before it
let saved = true; // whether the text was copied or downloaded as it is

const states = { idle: "Not listening", starting: "Opening the microphone…", listening: "Listening", finishing: "Finishing…" };

function enter(next) {
  state = next;
  document.body.dataset.state = next;
  $("state").textContent = next === "idle" && !transcript.empty ? "Stopped" : states[next];
  const button = $("start");
  button.textContent = { idle: "Start", starting: "Starting…", listening: "Stop", finishing: "Finishing…" }[next];
  button.disabled = next === "starting" || next === "finishing" || (next === "idle" && unavailable() !== null);
  settings.lock(next !== "idle");
  if (next === "idle") $("level").style.setProperty("--level", "0");
  showTools();
}

function showTools() {
  document.body.toggleAttribute("data-empty", transcript.empty);
  $("empty").hidden = !transcript.empty || state === "listening";
  for (const id of ["copy", "text", "captions", "results", "clear"]) $(id).disabled = transcript.empty;
  if (state !== "idle") $("clear").disabled = true;
}

/** Shows what went wrong; with a button where it helps to try again. */
function notice(title, text, again = false) {
  $("notice").hidden = false;
  $("notice-title").textContent = title;
  $("notice-text").textContent = text;
  $("again").hidden = !again;
}

function hideNotice() {
  $("notice").hidden = true;
}

async function start() {
  if (state !== "idle") return;
  hideNotice();
  const problem = settings.problem();
  if (problem) return notice("The settings don't fit", problem);
  enter("starting");
  samples = 0;
  try {
    const accessKey = await settings.takeKey();
    microphone = await Microphone.open(hear, () => state === "listening" && lose("The microphone was taken away."));
    const id = crypto.randomUUID();
    const parameters = settings.parameters();
    const url = await presign({
      origin: socket, path, parameters: { ...parameters, "session-id": id }, accessKey, region: settings.region,
      service: "transcribe", now: new Date(), expires: 60,
    });
    transcript.begin({ id, startedAt: new Date().toISOString(), parameters }, before);
    $("session").textContent = $("session").title = id;
    $("language").textContent = parameters["language-code"] ? languageName(parameters["language-code"]) : "Identifying…";
    stream = new Stream(url, { opened: () => {}, results, ended });
    enter("listening");
    keepAwake();
  } catch (error) {
    release();
    enter("idle");
    notice("It could not start", error.message);
  }
}

/** Keeps the screen on where that may be: a telephone that sleeps hears nothing. */
async function keepAwake() {
  const lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
  if (state === "listening" && !awake) awake = lock;
  else lock?.release();
}

/** Takes a piece of audio from the microphone. */
function hear(bytes, loudness) {
  if (!stream || state !== "listening") return;
  samples += bytes.length / 2;
  stream.send(bytes);
  $("level").style.setProperty("--level", loudness.toFixed(3));
  $("elapsed").textContent = clock(before + samples / sampleRate);
  if (stream.dropped > 0) notice("The connection is too slow", `${(stream.dropped / 10).toFixed(1)} s of audio could not be sent.`);
}

function results(list) {
  for (const result of list) {
    transcript.add(result);
    const identified = result.LanguageIdentification?.find(({ LanguageCode }) => LanguageCode === result.LanguageCode);
    if (result.LanguageCode) {
      $("language").textContent = languageName(result.LanguageCode) + (identified ? ` (${Math.round(identified.Score * 100)} %)` : "");
    }
  }
  saved = false;
  view.draw();
  showTools();
}

function release() {
  microphone?.close();
  awake?.release();
  microphone = stream = awake = undefined;
}

/** Stops listening; what was said still comes. */
function stop() {
  if (state !== "listening") return;
  microphone.close();
  enter("finishing");
  stream.finish();
}

function lose(why) {
  stop();
  notice("The microphone is gone", why);
}

// The exceptions that mean the key, which is asked for again then.
const keyRefused = ["InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"];

/** The stream has ended: as it should, refused by the server, or broken. */
function ended({ exception, broken }) {
  before += samples / sampleRate;
  samples = 0;
  release();
  view.draw(true);
  enter("idle");
  if (exception) {
    if (keyRefused.includes(exception.name)) settings.forget();
    notice(exception.name, exception.message, !keyRefused.includes(exception.name));
  } else if (broken) {
    const hint = transcript.empty ? ` If ${socket} has a certificate of its own, the browser has to trust it.` : " What was said so far is kept.";
    notice("Disconnected", broken + hint, true);
  }
}

function download(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
  saved = true;
}

async function copy() {
  const label = $("copy").textContent;
  try {
    await navigator.clipboard.writeText(transcript.text());
    $("copy").textContent = "Copied";
    saved = true;
  } catch (error) {
    notice("It could not be copied", error.message);
  }
  setTimeout(() => ($("copy").textContent = label), 1500);
}

function clear() {
  transcript.clear();
  view.clear();
  before = 0;
  saved = true;
  $("elapsed").textContent = clock(0);
  $("session").textContent = $("language").textContent = "–";
  hideNotice();
  enter("idle");
}

const fileName = (ending) => `dictum-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${ending}`;

$("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("start").addEventListener("click", (event) => {
  if (state === "idle") return; // it submits the settings
  event.preventDefault();
  stop();
});
$("again").addEventListener("click", () => $("settings").requestSubmit());
$("dismiss").addEventListener("click", hideNotice);
$("copy").addEventListener("click", copy);
$("text").addEventListener("click", () => download(fileName("txt"), "text/plain", transcript.text()));
$("captions").addEventListener("click", () => download(fileName("vtt"), "text/vtt", transcript.vtt()));
$("results").addEventListener("click", () => download(fileName("json"), "application/json", transcript.json()));
$("clear").addEventListener("click", clear);
$("shade").addEventListener("change", () => $("transcript").classList.toggle("shaded", $("shade").checked));
addEventListener("beforeunload", (event) => {
  if (state !== "idle" || !saved) event.preventDefault();
});

enter("idle");
if (unavailable()) notice("The microphone isn't available here", unavailable());
