// Reveals the copy buttons and makes them work. Without this file the links beside them can be selected by hand.
"use strict";

async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Plain http on another host than localhost has no clipboard API; a selected text can still be copied.
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "offscreen";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("the browser refused to copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const words = button.firstElementChild;
  const label = words.textContent;
  let timer;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copyText(button.dataset.copy);
      words.textContent = "Copied";
    } catch {
      words.textContent = "Copy failed";
    }
    button.focus();
    clearTimeout(timer);
    timer = setTimeout(() => { words.textContent = label; }, 2000);
  });
}
