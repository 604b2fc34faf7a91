// The live page in a browser whose microphone is a recording: node live.mjs CHROMIUM CONSOLE WAV FOLDER, with the server's
// keys in the environment. It asks for the server's end and new start on standard output and reads on standard input when
// that is done. Any failed assertion ends it with an error.
import assert from "node:assert/strict";
import fs from "node:fs";
import readline from "node:readline";
import { chromium } from "playwright-core";

const [, , executablePath, origin, recording, folder] = process.argv;
const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = process.env;
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function server(order) {
  console.log(order);
  await answers.next();
}

// Says what comes, and when: the test logs it.
const step = (what) => console.log(`${(performance.now() / 1000).toFixed(1)} s: ${what}`);

const context = await chromium.launchPersistentContext(`${folder}/profile`, {
  executablePath,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${recording}%noloop`,
    "--use-fake-ui-for-media-stream", "--host-resolver-rules=MAP insecure.test 127.0.0.1",
  ],
});
context.setDefaultTimeout(20_000);
const complaints = [];
context.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
context.on("weberror", (e) => complaints.push(e.error().message));
await context.grantPermissions(["microphone", "clipboard-read", "clipboard-write"], { origin });

const page = await context.newPage();
process.on("uncaughtExceptionMonitor", () => console.error(`The last state of the page was: ${last}`));
let last = "";
await page.exposeFunction("tell", (state) => (last = state));
// The reader's phrases. One of them may be misheard, when the machine is so busy that the browser drops audio.
const phrases = [/best of times/i, /worst of times/i, /age of wisdom/i];
const heard = (said) => phrases.filter((p) => p.test(said)).length;
const text = (selector) => page.locator(selector).textContent();
const idle = () => page.waitForSelector("body[data-state=idle]");
const notice = async () => {
  await page.waitForSelector("#notice:not([hidden])");
  return [await text("#notice-title"), await text("#notice-text")];
};
// Each drawing's partial words, to see them grow.
const watch = () =>
  page.evaluate(() => {
    window.partials = [];
    new MutationObserver(() => {
      window.tell(document.querySelector(".work").textContent.replace(/\s+/g, " "));
      const partial = document.querySelector(".partial")?.textContent;
      if (partial && partial !== window.partials.at(-1)) window.partials.push(partial);
    }).observe(document.getElementById("transcript"), { childList: true, subtree: true });
  });

step("The start page leads to it.");
{
  await page.goto(origin);
  await page.getByRole("link", { name: /Transcribe your microphone/ }).click();
  assert.equal(new URL(page.url()).pathname, "/live");
}

step("Without keys it doesn't start, and says what it needs.");
{
  await page.click("#start");
  assert.equal(await page.evaluate(() => document.activeElement.name), "id");
}

step("A wrong secret: AWS's exception. The key is asked for again.");
{
  await page.fill("[name=id]", id);
  await page.fill("[name=secret]", "wrong");
  await page.press("[name=secret]", "Enter");
  const [title, message] = await notice();
  assert.equal(title, "InvalidSignatureException");
  assert.match(message, /signature we calculated does not match/);
  await idle();
  assert.equal(await page.inputValue("[name=secret]"), "");
  assert.ok(await page.isVisible("[name=secret]"));
}

step("Words grow, settle, and can be copied and taken along.");
{
  await watch();
  await page.fill("[name=secret]", secret);
  await page.selectOption("[name=stability]", "high");
  await page.check("[name=speakers]");
  await page.focus("#start");
  await page.keyboard.press("Space");
  await page.waitForSelector("body[data-state=listening]");
  assert.ok(await page.isHidden("#notice"));
  assert.ok(await page.isDisabled("[name=language]"));
  await page.waitForSelector(".partial .word");
  await page.waitForFunction(() => [...document.querySelectorAll(".final")].map((e) => e.textContent).join(" ").match(/\bof \w+/g)?.length > 2);
  assert.ok(Number(await page.evaluate(() => document.getElementById("level").style.getPropertyValue("--level"))) > 0);
  await page.focus("#start");
  await page.keyboard.press("Enter");
  await idle();
  assert.equal(await page.locator(".partial").count(), 0);

  const partials = await page.evaluate(() => window.partials);
  assert.ok(partials.some((p, i) => i > 0 && p.length > partials[i - 1].length && p.startsWith(partials[i - 1].split(" ")[0])), partials.join("\n"));
  assert.ok(heard(partials.join("\n")) > 1, partials.join("\n"));
  const shown = (await page.locator(".final").allTextContents()).join(" ").replace(/\s+/g, " ");
  assert.ok(heard(shown) > 1, shown);
  assert.ok(heard(await text("#announcer")) > 1, "finals are not announced");
  assert.match(await text(".said .speaker"), /^Speaker 1$/);
  assert.match(await page.locator(".final .word").first().getAttribute("title"), /^\d+ % sure · 00:00:0\d\.\d{3} to 00:00:0\d\.\d{3}$/);
  assert.match(await page.locator(".final .word").first().getAttribute("class"), /word (sure|likely|unsure|guess)/);
  const session = await text("#session");
  assert.match(session, /^[0-9a-f-]{36}$/);
  assert.equal(await text("#language"), "English (United States)");
  assert.match(await text("#elapsed"), /^0:(0[4-9]|1\d)$/);

  await page.click("#copy");
  await page.getByText("Copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^Speaker 1: /);
  assert.ok(heard(copied) > 1, copied);
  const taken = {};
  for (const button of ["text", "captions", "results"]) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(`#${button}`)]);
    assert.match(file.suggestedFilename(), /^dictum-[0-9T-]+\.(txt|vtt|json)$/);
    taken[button] = fs.readFileSync(await file.path(), "utf8");
  }
  assert.equal(taken.text, copied);
  assert.match(taken.captions, /^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:\d\d\.\d{3}\n<v Speaker 1>\w/i);
  assert.ok(heard(taken.captions) > 0, taken.captions);
  const [stream] = JSON.parse(taken.results).Streams;
  assert.equal(stream.SessionId, session);
  assert.equal(stream.Parameters["partial-results-stability"], "high");
  assert.ok(stream.Results.every((r) => !r.IsPartial && r.ResultId));
  assert.ok(stream.Results[0].Alternatives[0].Items[0].Confidence > 0);
}

step("The secret is nowhere on the page or in the browser's storage.");
{
  const found = await page.evaluate((s) => [document.documentElement.outerHTML, ...[...document.querySelectorAll("input")].map((i) => i.value)].some((t) => t.includes(s)), secret);
  assert.ok(!found);
  assert.deepEqual(await page.evaluate(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]), [0, 0, "", 0]);
  await page.reload();
  assert.equal(await page.inputValue("[name=id]") + (await page.inputValue("[name=secret]")), "");
}
assert.deepEqual(complaints.splice(0), [], "the browser complained");

step("The page reaches the API's WebSockets and nothing else.");
{
  for (const url of [`${origin}/live`, "http://127.0.0.1:9/"]) {
    assert.equal(await page.evaluate((u) => fetch(u).then(() => "reached", () => "refused"), url), "refused", url);
  }
  assert.ok(complaints.splice(0).some((c) => c.includes("connect-src")));
  assert.equal(await page.evaluate(() => { // nor does it run what is put into it
    const script = document.createElement("script");
    try { script.text = "window.ran = true"; } catch { return "refused"; }
    document.head.append(script);
    return window.ran ? "ran" : "refused";
  }), "refused");
  complaints.length = 0;
}

step("A connection that breaks: the text is kept, and a click goes on.");
{
  await page.fill("[name=id]", id);
  await page.fill("[name=secret]", secret);
  await page.selectOption("[name=mode]", "identify-language");
  await page.click("#start");
  await page.waitForFunction(() => /\bof \w+/i.test(document.querySelector(".final")?.textContent ?? ""));
  assert.match(await text("#language"), /^English \(United States\) \(\d+ %\)$/);
  await server("kill");
  assert.match((await notice()).join(": "), /^Disconnected: The connection to the server broke\..*kept/);
  await idle();
  const kept = await page.locator(".final").first().textContent();
  await server("restart");
  await page.selectOption("[name=mode]", "one");
  await page.getByRole("button", { name: "Reconnect" }).click();
  await page.waitForSelector("body[data-state=listening]");
  await page.waitForFunction(() => document.querySelectorAll("p.said").length > 1);
  assert.equal(await page.locator(".final").first().textContent(), kept);
  await page.click("#start");
  await idle();
  assert.ok(await page.isHidden("#notice"));
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#results")]);
  const { Streams } = JSON.parse(fs.readFileSync(await file.path(), "utf8"));
  assert.equal(Streams.length, 2);
  assert.ok(Streams[0].Offset === 0 && Streams[1].Offset > 1 && Streams[0].SessionId !== Streams[1].SessionId);
  await page.click("#clear");
  assert.equal(await page.locator("p.said").count(), 0);
}

step("What the server refuses for another reason is said, and the key is kept.");
{
  await page.selectOption("[name=mode]", "one");
  await page.click("summary:has-text('Vocabulary filter')");
  await page.fill("[name=filter]", "no-such-filter");
  await page.click("#start");
  const [title, message] = await notice();
  assert.equal(title, "BadRequestException");
  assert.match(message, /filter/i);
  await idle();
  assert.equal(await text("#key-id"), id);
}

step("A page that is not secure has no microphone, and says why.");
{
  await page.goto(origin.replace("127.0.0.1", "insecure.test") + "/live");
  assert.match((await notice()).join(": "), /microphone isn't available.*secure pages only.*https:/i);
  assert.ok(await page.isDisabled("#start"));
}

step("The end.");
await context.close();
process.exit(0);
