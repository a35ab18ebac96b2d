// What stands for the kernel on a page: a model that a view's `render({ model, el })` takes, with
// the methods of anywidget's.

class PageModel {
  constructor(values) {
    this.values = values;
    this.listeners = [];
  }
  get(name) {
    return this.values[name];
  }
  set(name, value) {
    this.values[name] = value;
    for (const [event, listener] of [...this.listeners]) {
      if (event === `change:${name}`) listener();
    }
  }
  on(event, listener) {
    this.listeners.push([event, listener]);
  }
  off(event, listener) {
    this.listeners = this.listeners.filter(([e, l]) => e !== event || l !== listener);
  }
  // A model that answers has more to do in these two.
  save_changes() {}
  send() {}
}

// Shows each view in its <div class="live" data-view="NAME">, with the JSON that stands there, in
// the place of its picture. That stays where no script runs, where a browser is too old to read
// this one, and where something fails. The pad needs more of a kernel than values.
function mountViews(views) {
  for (const el of document.querySelectorAll(".live[data-view]")) {
    const view = views[el.dataset.view];
    const values = JSON.parse(el.querySelector("script")?.textContent ?? "{}");
    const shown = document.createElement("div");
    try {
      if (el.dataset.view === "pad") mountPad(view, shown);
      else view.render({ model: new PageModel(values), el: shown });
      el.querySelector(".stand-in").replaceWith(shown);
    } catch (error) {
      console.error(error);
    }
  }
}
