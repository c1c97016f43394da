// Looks at every view of the web app with Lighthouse, on a phone and on a desktop, and prints the
// scores. Fails below LEAST, and on any audit that counts and fails.
//
//   node look.mjs <the address of the app> <the browser>

import { desktopConfig, snapshot } from "lighthouse";
import puppeteer from "puppeteer-core";

const LEAST = 0.95;
const CATEGORIES = ["accessibility", "best-practices"];
const NOBODY = `#/${"a".repeat(52)}/00000000-0000-4000-8000-000000000000`;
const SOON = { timeout: 60_000 };

const [app, executablePath] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-features=WebRtcHideLocalIpsWithMdns"];
const browser = await puppeteer.launch({ executablePath, args });
let failed = false;

// A page in a profile of its own, in which this text is to be read.
async function open(address, text) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(new URL(address, app).href);
  await reads(page, text);
  return page;
}

async function reads(page, text) {
  await page.bringToFront();
  await page.waitForFunction(text => document.body.innerText.includes(text), SOON, text);
}

async function look(page, view) {
  await page.bringToFront();
  for (const [device, config] of [["phone", undefined], ["desktop", desktopConfig]]) {
    const { lhr } = await snapshot(page, { config, flags: { onlyCategories: CATEGORIES, logLevel: "error" } });
    for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
      console.log(`${view}, ${device}: ${id} ${score}`);
      // What weighs nothing is advice.
      const counted = auditRefs.filter(({ weight }) => weight > 0).map(({ id }) => lhr.audits[id]);
      for (const audit of counted.filter(({ score }) => score !== null && score < 1)) {
        failed = true;
        const where = JSON.stringify(audit.details?.items?.map(item => item.node?.snippet ?? item));
        console.log(`    ${audit.id}: ${audit.title} ${where}`);
      }
      failed ||= !(score >= LEAST);
    }
  }
}

try {
  const host = await open("", "New poll");
  await look(host, "the start");
  await look(await open("#/half", "This is no poll"), "half a link");
  await look(await open(NOBODY, "The host is away"), "a host who is away");
  await look(await open("?ice=all", "cannot be used"), "settings that cannot be used");

  for (const [field, text] of [["title", "Where do we eat?"], ["option-1", "Thai"], ["option-2", "Pizza"]]) {
    await host.bringToFront();
    await host.type(`#${field}`, text);
  }
  await host.click("button.primary");
  await reads(host, "You are the host");
  const link = await host.$eval("#share-link", field => field.value);
  const guest = await open(link, "Connected to the host");
  await guest.click("input[name=choice]");
  await guest.click("#vote");
  await reads(guest, "Your vote is counted");
  await look(guest, "a guest's room");
  await look(host, "the host's room");
  await look(await open(`${link.slice(0, -1)}${link.endsWith("0") ? 1 : 0}`, "cannot be joined"), "no such poll");
} finally {
  await browser.close();
}
if (failed) {
  console.log(`Lighthouse has something to say, or a score is below ${LEAST}.`);
  process.exitCode = 1;
}
