// Starts the app, and says so if that cannot be done.
import start from "./poll-web.js";

start().catch((error) => {
  const said = document.createElement("p");
  said.className = "banner problem";
  said.setAttribute("role", "alert");
  said.textContent = `This browser cannot run the page: ${error}`;
  document.body.append(said);
});
