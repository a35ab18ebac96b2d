// What stands for the kernel on a page: a model that a view's `render({ model, el })` takes, with
// the methods of anywidget's.

export class PageModel {
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

// Shows each view in its place, <div class="live" data-view="NAME">. `mounts` has, by name, the
// functions of the views that need more than the JSON which stands in a <script> in their place.
export function mountViews(views, mounts) {
  for (const el of document.querySelectorAll(".live[data-view]")) {
    const view = views[el.dataset.view];
    const mount = mounts[el.dataset.view];
    if (mount) {
      mount(view, el);
    } else {
      const values = el.querySelector('script[type="application/json"]')?.textContent ?? "{}";
      view.render({ model: new PageModel(JSON.parse(values)), el });
    }
  }
}
