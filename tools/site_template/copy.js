// Each code block gets a button that copies it. The buttons are made here, so that a reader
// without scripts is not shown one that does nothing.
(() => {
  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  document.body.append(status);

  for (const pre of document.querySelectorAll(".highlight pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      let outcome = "Copied";
      try {
        await navigator.clipboard.writeText(pre.textContent.trimEnd());
      } catch {
        // Not permitted, or a page that did not come by HTTPS: the reader's own keys still copy.
        getSelection().selectAllChildren(pre);
        outcome = "Selected, not copied";
      }
      button.textContent = outcome;
      status.textContent = outcome;
      setTimeout(() => {
        button.textContent = "Copy";
        status.textContent = "";
      }, 2000);
    });
    pre.parentElement.append(button);
  }
})();
