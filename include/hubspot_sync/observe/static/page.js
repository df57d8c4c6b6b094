// What HTML cannot do: show the progress of a run that is under way, leave the frame that Airflow puts this page in, and
// follow Airflow's choice of light or dark. Without scripts the page is complete, only not live.

const REFRESH_MS = 3000;

async function refresh(shown) {
  const answer = await fetch(shown.dataset.refresh);
  if (answer.status >= 500) watch();
  // the login has ended: a page that is loaded anew leads to Airflow's login and back
  if (answer.status === 401) location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("progress");
  if (fresh.dataset.state !== shown.dataset.state) {
    location.reload();
    return;
  }
  shown.replaceWith(fresh);
  watch();
}

function watch() {
  const shown = document.querySelector("#progress[data-refresh]");
  if (shown) setTimeout(() => refresh(shown).catch(watch), REFRESH_MS);
}

// The frame's sandbox forbids to navigate the window around it; Airflow's own router may.
function openInAirflow(event) {
  const link = event.target.closest("a[data-airflow]");
  if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  window.parent.history.pushState(null, "", link.href);
  window.parent.dispatchEvent(new PopStateEvent("popstate"));
}

function followTheme() {
  const airflow = window.parent.document.documentElement.classList;
  const theme = ["light", "dark"].find((name) => airflow.contains(name));
  if (theme) document.documentElement.dataset.theme = theme;
}

// A run that was just started: its page is there after a moment.
function awaitRun() {
  if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), REFRESH_MS);
}

if (window.parent !== window) followTheme();
document.addEventListener("click", openInAirflow);
watch();
awaitRun();
