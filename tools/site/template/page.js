(() => {
  // Jupyter gives a file only to who asks with what stands behind its address: links take that along,
  // here and wherever else something stands there, which does no harm.
  const { search } = new URL(document.baseURI);
  const own = search ? document.querySelectorAll("a:not([href*=':'])") : [];
  for (const link of own) link.search = search;

  // On paper nothing unfolds: the answers to guesses are open, with the words that follow them, and
  // all else is closed.
  const folded = Array.from(document.querySelectorAll("details"));
  const isAnswer = (details) => {
    if (details.matches(".answer")) return true;
    const before = details.parentElement.previousElementSibling;
    return (
      details.matches(".code + .text > details:first-child") && before.querySelector(".answer")
    );
  };
  let open = [];
  addEventListener("beforeprint", () => {
    open = folded.map((details) => details.open);
    for (const details of folded) details.open = isAnswer(details);
  });
  addEventListener("afterprint", () => {
    folded.forEach((details, i) => {
      details.open = open[i];
    });
  });

  // What is wider than its box scrolls inside it; there, the edge fades (site.css).
  for (const box of document.querySelectorAll("pre, .wide, .html")) {
    const show = () => {
      const hidden = box.scrollWidth - box.clientWidth - box.scrollLeft;
      box.classList.toggle("goes-on", hidden > 1);
    };
    box.addEventListener("scroll", show, { passive: true });
    new ResizeObserver(show).observe(box);
  }

  // Each code block gets a button that copies it. The buttons are made here, so that a reader
  // without scripts is not shown one that does nothing.
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
