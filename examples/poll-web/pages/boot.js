// Starts the app, and says so if that cannot be done.
//
// It names the other parts and is asked for each time, so they are always those of one build.

// A click helps where a part did not arrive, or a server or a store has mixed two builds.
function sentence(error) {
  if (typeof WebAssembly !== "object") return ["This browser has no WebAssembly.", false];
  if (error instanceof WebAssembly.LinkError) {
    return ["The parts of this page are not of one version.", true];
  }
  // A part that is missing: a TypeError, or an error page that does not compile.
  if (error instanceof TypeError || error instanceof WebAssembly.CompileError) {
    return ["A part of this page did not arrive.", true];
  }
  return [`This browser cannot run the page: ${error}`, false];
}

const loading = document.getElementById("loading");
loading.hidden = false;

function say(error) {
  loading.remove();
  const [text, loadingHelps] = sentence(error);
  const said = document.createElement("p");
  said.className = "banner problem";
  said.setAttribute("role", "alert");
  said.append(text);
  if (loadingHelps) {
    const again = document.createElement("button");
    again.textContent = "Load the page again";
    again.onclick = () => location.reload();
    said.append(" ", again);
  }
  document.body.append(said);
}

// For the app, as long as it has no views.
export function sayMissing() {
  say(new TypeError("a part of the app is missing"));
}

// Parts of the app that come later (parts.js) are joined to it by this.
export let initSync;

import("./poll-web.js").then((app) => {
  initSync = app.initSync;
  return app.default();
}).catch(say);
