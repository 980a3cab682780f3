"use strict";
// The page of a run. All that comes from traces is put into the document as text: there is no markup in it, ever.
// A tree makes the rows that are to be seen, and no others: a trace may have tens of thousands of spans.
(() => {
  const LINE = 26; // pixels of a row, and of each note below it; the style says the same
  const AHEAD = 12; // rows made above and below those that are to be seen
  const OPEN = 100; // rows of a tree that are open at first, unless something is marked
  const PRINTED = 2000; // rows of a tree on paper
  const SEGMENTS = 60; // pieces of self time that a bar shows
  const DEEPEST = 24; // levels that are indented
  const WORDS = {
    "-": "missing", "+": "unexpected", "~": "different", "<": "belongs here", ">": "moved", "^": "out of order",
    "!": "finding",
  };
  const json = (id) => {
    const element = document.getElementById(id);
    return element && JSON.parse(element.textContent);
  };
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  };
  const time = (us) => {
    if (us === null) return "unfinished";
    if (Math.abs(us) < 1000) return `${us} µs`;
    return Math.abs(us) < 1e6 ? `${+(us / 1e3).toPrecision(3)} ms` : `${+(us / 1e6).toPrecision(3)} s`;
  };
  const numbers = new Intl.NumberFormat("en");
  const counted = (count, what) => `${numbers.format(count)} ${what}${count === 1 ? "" : "s"}`;
  const limit = json("limit");
  let printing = false;

  const copied = async (text, element) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // a page from a file may not reach the clipboard by itself, yet what is selected it may copy
      getSelection().selectAllChildren(element);
      document.execCommand("copy");
    }
  };
  const copyRow = (what, text, below) => {
    const code = make("code", {}, text);
    const button = make("button", { type: "button", "aria-label": `Copy: ${what}` }, "copy");
    button.addEventListener("click", async () => {
      await copied(text, code);
      button.textContent = "copied";
    });
    return make("div", { class: "copy" }, make("span", { class: "what" }, what), code, button, below);
  };
  const address = (kind, ...parts) => `#${kind}=${parts.map(encodeURIComponent).join("/")}`;
  const visited = (hash) => history.replaceState(null, "", hash);

  // -- one trace -----------------------------------------------------------------------------------------------------

  class Tree {
    constructor(test, number) {
      this.test = test;
      this.number = number;
      this.facts = test.entry.traces[number];
      this.spans = test.spans()[number];
      this.key = `t${test.number}-${number}`;
      this.made = new Map(); // the rows in the document, by their nodes
      this.current = -1; // the node that is selected
      this.own = new Map(this.spans.path);
      this.errors = new Map(this.spans.error);
      this.build();
      const { start, took } = this.spans;
      this.total = start.reduce((last, from, i) => Math.max(last, from + (took[i] || 0)), 1);
      this.open = this.firstOpen();
      this.element = this.draw();
    }

    text(column, i) {
      return this.test.entry.texts[this.spans[column][i]];
    }

    build() { // put what is missing between the spans, and find out what stands below what
      const { parent, marks } = this.spans;
      const on = new Map();
      const between = new Map();
      for (const mark of marks) {
        const [map, key] = mark.at === undefined ? [between, mark.before] : [on, mark.at];
        map.set(key, [...(map.get(key) || []), mark]);
      }
      const depths = [];
      this.nodes = [];
      this.at = []; // the node of each span
      for (let i = 0; i <= parent.length; i++) {
        for (const mark of (between.get(i) || []).sort((one, other) => other.depth - one.depth)) {
          this.nodes.push({ ghost: mark.label, depth: mark.depth, marks: [mark] });
          for (const [level, label] of mark.below) {
            this.nodes.push({ ghost: label, depth: mark.depth + level, marks: [] });
          }
        }
        if (i === parent.length) break;
        depths.push(parent[i] < 0 ? 0 : depths[parent[i]] + 1);
        this.at.push(this.nodes.length);
        this.nodes.push({ span: i, depth: depths[i], marks: on.get(i) || [] });
      }
      const above = [];
      const siblings = new Map();
      this.nodes.forEach((node, k) => {
        while (above.length && this.nodes[above[above.length - 1]].depth >= node.depth) above.pop();
        node.up = above.length ? above[above.length - 1] : -1;
        node.place = (siblings.get(node.up) || 0) + 1;
        siblings.set(node.up, node.place);
        above.push(k);
      });
      for (let k = this.nodes.length - 1; k >= 0; k--) {
        const node = this.nodes[k];
        node.end = k + 1;
        while (node.end < this.nodes.length && this.nodes[node.end].depth > node.depth) {
          node.end = this.nodes[node.end].end;
        }
        node.siblings = siblings.get(node.up);
        node.lines = node.marks.flatMap((mark) => mark.text.map((text) => [mark, text]));
      }
    }

    firstOpen() { // what leads to a difference; without one, as many levels as are looked at
      const { nodes } = this;
      if (nodes.length <= OPEN) return new Set(nodes.keys());
      const open = new Set();
      const opened = (k) => {
        for (; k >= 0 && !open.has(k); k = nodes[k].up) open.add(k);
      };
      nodes.forEach((node, k) => node.marks.length && opened(node.up));
      if (open.size || nodes.some((node) => node.marks.length)) {
        return open.add(0);
      }
      const counts = [];
      for (const node of nodes) counts[node.depth] = (counts[node.depth] || 0) + 1;
      let seen = counts[0];
      let level = 1;
      while (level < counts.length && seen + counts[level] <= OPEN) seen += counts[level++];
      nodes.forEach((node, k) => node.depth < Math.max(1, level - 1) && open.add(k));
      return open;
    }

    draw() {
      this.canvas = make("div", { class: "canvas" });
      this.tree = make("div", {
        role: "tree", class: "tree", tabindex: "0",
        "aria-label": `Spans of ${this.facts.label} trace ${this.facts.name}`.replace("  ", " "),
      }, this.canvas);
      this.panel = make("div", { class: "panel", hidden: "" });
      this.tree.addEventListener("scroll", () => this.update());
      this.tree.addEventListener("keydown", (event) => this.pressed(event));
      this.tree.addEventListener("focus", () => this.current < 0 && this.nodes.length && this.show(0));
      this.tree.addEventListener("click", (event) => this.clicked(event));
      new ResizeObserver(() => this.update()).observe(this.tree);
      this.lay();
      const ticks = [0, 1, 2, 3, 4].map((k) => make("span", {}, time(Math.round((this.total * k) / 4))));
      const legend = [["own", "own time"], ["busy", "children run"], ["critical", "critical path"], ["wrong", "error"]];
      return make("div", { class: "view" },
        make("p", { class: "legend" }, ...legend.flatMap(([kind, text]) => [make("i", { class: kind }), text])),
        make("div", { class: "axis", "aria-hidden": "true" }, ...ticks), this.tree, this.panel);
    }

    lay() { // find out which rows there are, and where each stands
      this.shown = [];
      this.tops = [];
      this.row = new Map(); // the row of each node that is shown
      let top = 0;
      for (let k = 0; k < this.nodes.length; k = this.open.has(k) ? k + 1 : this.nodes[k].end) {
        this.row.set(k, this.shown.length);
        this.shown.push(k);
        this.tops.push(top);
        top += LINE * (1 + this.nodes[k].lines.length);
      }
      this.tops.push(top);
      this.canvas.style.height = `${top}px`;
      this.canvas.replaceChildren();
      this.made.clear();
      this.lines();
      this.update();
    }

    rowAt(y) { // the last row that begins above y
      let [low, high] = [0, this.shown.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.tops[middle] <= y) low = middle;
        else high = middle - 1;
      }
      return low;
    }

    update() { // make the rows that are to be seen
      const top = this.tree.scrollTop;
      const first = printing ? 0 : Math.max(0, this.rowAt(top) - AHEAD);
      const last = printing ? PRINTED : this.rowAt(top + (this.tree.clientHeight || 600)) + AHEAD;
      const wanted = this.shown.slice(first, last + 1);
      const kept = new Set(wanted);
      for (const [k, element] of this.made) {
        if (!kept.has(k)) {
          element.remove();
          this.made.delete(k);
        }
      }
      for (const k of wanted) {
        if (this.made.has(k)) continue;
        const element = this.drawRow(k);
        const next = this.shown.slice(this.row.get(k) + 1, last + 1).find((each) => this.made.has(each));
        this.canvas.insertBefore(element, this.made.get(next) || null);
        this.made.set(k, element);
      }
    }

    drawRow(k) {
      const node = this.nodes[k];
      const opens = node.end > k + 1;
      const { span } = node;
      const label = span === undefined ? node.ghost : this.text("name", span);
      const kinds = node.marks.map((mark) => mark.mark);
      const chips = [...new Set(kinds)].map((kind) =>
        make("b", { class: "chip", "data-mark": kind, title: WORDS[kind], "aria-hidden": "true" }, kind));
      const twist = make("span", { class: "twist", "aria-hidden": "true" }, opens ? (this.open.has(k) ? "▾" : "▸") : "");
      const deep = node.depth > DEEPEST ? make("span", { class: "type" }, `depth ${node.depth}`) : null;
      const hit = this.test.page.spanFilter && label.toLowerCase().includes(this.test.page.spanFilter);
      const error = this.errors.has(span) ? make("span", { class: "error" }, this.errors.get(span) || "error") : null;
      const below = opens && !this.open.has(k) ? make("span", { class: "below" }, `${node.end - k - 1} below`) : null;
      const type = span === undefined ? null : make("span", { class: "type" }, this.text("type", span));
      const name = make("bdi", { class: hit ? "name hit" : "name" }, label);
      const head = make("span", { class: "label" }, twist, ...chips, deep, name, type, error, below);
      head.style.setProperty("--depth", Math.min(node.depth, DEEPEST));
      const notes = node.lines.map(([mark, text]) => {
        const line = make("div", { class: "note", "data-mark": mark.mark, title: text }, make("bdi", {}, text));
        line.style.setProperty("--depth", Math.min(node.depth, DEEPEST));
        return line;
      });
      const element = make("div", {
        role: "treeitem", id: `${this.key}-${k}`, class: span === undefined ? "row ghost" : "row",
        "data-node": k, "aria-level": node.depth + 1, "aria-posinset": node.place, "aria-setsize": node.siblings,
        "aria-expanded": opens ? String(this.open.has(k)) : null, "aria-selected": String(k === this.current),
      }, make("div", { class: "line" }, head, span === undefined ? this.noBar(kinds) : this.bar(span)), ...notes);
      element.style.top = `${this.tops[this.row.get(k)]}px`;
      return element;
    }

    noBar(kinds) {
      return make("span", { class: "times" }, make("span", { class: "took" }, kinds.includes("<") ? "belongs here" : "not there"));
    }

    bar(i) {
      const { start, took } = this.spans;
      const wrong = this.text("status", i) === "ERROR" || this.errors.has(i);
      const kinds = ["bar", wrong && "wrong", this.own.has(i) && "critical", took[i] === null && "open"];
      const bar = make("span", { class: kinds.filter(Boolean).join(" "), "aria-hidden": "true" });
      const long = took[i] === null ? this.total - start[i] : Math.max(0, took[i]);
      const left = Math.min(100, Math.max(0, (start[i] / this.total) * 100));
      bar.style.left = `${left}%`;
      bar.style.width = `${Math.min(100 - left, (long / this.total) * 100)}%`;
      const stops = this.selfTime(i).flatMap(([from, to]) => {
        const [a, b] = [(from / long) * 100, (to / long) * 100];
        return [`transparent ${a}%`, `var(--own) ${a}%`, `var(--own) ${b}%`, `transparent ${b}%`];
      });
      if (stops.length && long > 0) bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
      const said = [time(took[i])];
      if (wrong) said.push("error");
      if (this.own.has(i)) said.push(`critical path, ${time(this.own.get(i))} its own`);
      const hidden = make("span", { class: "unseen" }, said.slice(1).join(", "));
      return make("span", { class: "times" }, bar, make("span", { class: "took" }, said[0]), hidden);
    }

    children(i) {
      const { parent } = this.spans;
      const found = [];
      const last = this.at[i] === undefined ? 0 : this.nodes[this.at[i]].end;
      for (let k = this.at[i] + 1; k < last; k = this.nodes[k].end) {
        const { span } = this.nodes[k];
        if (span !== undefined && parent[span] === i) found.push(span);
      }
      return found;
    }

    selfTime(i) { // from when to when no child runs, from the start of the span
      const { start, took } = this.spans;
      const long = took[i] === null ? this.total - start[i] : Math.max(0, took[i]);
      const pieces = [];
      let reached = 0;
      for (const child of this.children(i).sort((one, other) => start[one] - start[other])) {
        const from = start[child] - start[i];
        const to = took[child] === null ? long : Math.min(long, from + took[child]);
        if (from > reached) pieces.push([reached, Math.min(from, long)]);
        reached = Math.max(reached, to);
      }
      if (reached < long) pieces.push([reached, long]);
      return pieces.slice(0, SEGMENTS);
    }

    lines() { // from where something belongs to where it stands
      const { marks } = this.spans;
      const y = (k) => {
        while (k >= 0 && !this.row.has(k)) k = this.nodes[k].up;
        return this.tops[this.row.get(k) || 0] + LINE / 2;
      };
      const edge = (i) => (i < this.at.length ? y(this.at[i]) - LINE / 2 : this.tops[this.tops.length - 1]);
      const pairs = marks.filter((mark) => mark.mark === ">").map((there) => {
        const home = marks.find((mark) => mark.mark === "<" && mark.finding === there.finding) || marks[there.home];
        return home && [y(this.nodes.findIndex((node) => node.marks.includes(home))), y(this.at[there.at])];
      });
      const orders = marks.filter((mark) => mark.mark === "^").map((mark) => [edge(mark.before), y(this.at[mark.at])]);
      const found = [...pairs.filter(Boolean), ...orders];
      if (!found.length) return;
      const svg = (tag, attributes) => {
        const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        return element;
      };
      const all = svg("svg", { class: "moves", "aria-hidden": "true", width: 24, height: this.tops[this.tops.length - 1] });
      found.forEach(([from, to], k) => {
        const x = 3 + 4 * (k % 3);
        all.append(
          svg("path", { d: `M 22 ${from} C ${x} ${from}, ${x} ${from}, ${x} ${(from + to) / 2} S ${x} ${to}, 20 ${to}` }),
          svg("path", { class: "head", d: `M 15 ${to - 4} L 22 ${to} L 15 ${to + 4} Z` }),
          svg("circle", { cx: 21, cy: from, r: 2.5 }));
      });
      this.canvas.prepend(all);
    }

    show(k, opening) { // go to a node, opening what is above it
      for (let up = this.nodes[k].up; up >= 0; up = this.nodes[up].up) {
        if (!this.open.has(up)) {
          this.open.add(up);
          opening = true;
        }
      }
      if (opening) this.lay();
      const before = this.made.get(this.current);
      if (before) before.setAttribute("aria-selected", "false");
      this.current = k;
      const row = this.row.get(k);
      const [top, bottom] = [this.tops[row], this.tops[row + 1]];
      if (top < this.tree.scrollTop) this.tree.scrollTop = top;
      else if (bottom > this.tree.scrollTop + this.tree.clientHeight) this.tree.scrollTop = bottom - this.tree.clientHeight;
      this.update();
      this.made.get(k).setAttribute("aria-selected", "true");
      this.tree.setAttribute("aria-activedescendant", `${this.key}-${k}`);
    }

    toggle(k, open) {
      if (this.nodes[k].end === k + 1 || this.open.has(k) === open) return;
      if (open) this.open.add(k);
      else this.open.delete(k);
      this.lay();
      this.show(k);
    }

    pressed(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const { nodes, shown } = this;
      const k = this.row.has(this.current) ? this.current : 0;
      const row = this.row.get(k);
      const moves = {
        ArrowDown: () => this.show(shown[Math.min(shown.length - 1, row + 1)]),
        ArrowUp: () => this.show(shown[Math.max(0, row - 1)]),
        Home: () => this.show(shown[0]),
        End: () => this.show(shown[shown.length - 1]),
        ArrowRight: () => (this.open.has(k) && nodes[k].end > k + 1 ? this.show(k + 1) : this.toggle(k, true)),
        ArrowLeft: () => {
          if (this.open.has(k) && nodes[k].end > k + 1) this.toggle(k, false);
          else if (nodes[k].up >= 0) this.show(nodes[k].up);
        },
        Enter: () => this.inspect(k),
        " ": () => this.inspect(k),
        Escape: () => { this.panel.hidden = true; },
      };
      if (!(event.key in moves) || !nodes.length) return;
      event.preventDefault();
      moves[event.key]();
    }

    clicked(event) {
      const row = event.target.closest("[data-node]");
      if (!row) return;
      const k = Number(row.dataset.node);
      if (event.target.closest(".twist")) this.toggle(k, !this.open.has(k));
      else {
        this.show(k);
        this.inspect(k);
      }
    }

    inspect(k) { // show what a span recorded
      const node = this.nodes[k];
      const notes = node.lines.map(([mark, text]) => make("p", { class: "note", "data-mark": mark.mark }, text));
      this.panel.hidden = false;
      if (node.span === undefined) {
        this.panel.replaceChildren(make("h4", {}, node.ghost), ...notes,
          ...(notes.length ? [] : [make("p", {}, "It belongs below what is missing.")]));
        return;
      }
      const i = node.span;
      const { start, took, id } = this.spans;
      const own = this.selfTime(i).reduce((sum, [from, to]) => sum + to - from, 0);
      const beside = this.beside(i).map((other) => this.text("name", other));
      const facts = [
        ["type", this.text("type", i)], ["status", this.text("status", i)], ["start", time(start[i])],
        ["duration", time(took[i])], ["own time", took[i] === null ? null : time(own)],
        ["critical path", this.own.has(i) ? `${time(this.own.get(i))} of its own on it` : null],
        ["at the same time", beside.slice(0, 8).join(", ") + (beside.length > 8 ? ", …" : "")],
      ].filter(([, text]) => text);
      const values = this.test.values()?.[this.number];
      const said = Object.entries(values?.spans[i] || {}).map(([what, text]) =>
        make("details", { open: what === "attributes" ? null : "" }, make("summary", {}, what),
          make("pre", { tabindex: "0", role: "group", "aria-label": what }, text)));
      const left = !values ? `left out, to keep this page under ${limit}`
        : values.cut.includes(i) ? "left out: the spans of this test recorded more than a page shows of one" : "nothing";
      this.panel.replaceChildren(
        make("h4", {}, make("bdi", {}, this.text("name", i)), " ",
          make("a", { href: address("span", this.facts.id, id[i]), class: "link", "aria-label": "Address of this span" }, "#")),
        ...notes,
        make("dl", {}, ...facts.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text)))),
        ...(said.length ? said : [make("p", {}, `Inputs, outputs, attributes, events: ${left}.`)]));
      visited(address("span", this.facts.id, id[i]));
    }

    beside(i) { // siblings that ran at some moment when it ran
      const { start, took, parent } = this.spans;
      const end = (k) => (took[k] === null ? Infinity : start[k] + took[k]);
      const siblings = parent[i] < 0 ? [] : this.children(parent[i]);
      return siblings.filter((k) => k !== i && start[i] < end(k) && start[k] < end(i));
    }
  }

  // -- one test ------------------------------------------------------------------------------------------------------

  class Test {
    constructor(page, entry, number) {
      Object.assign(this, { page, entry, number, trees: [] });
      this.lower = entry.name.toLowerCase();
      this.names = entry.names.map((each) => entry.texts[each].toLowerCase());
      const spans = entry.traces.reduce((sum, trace) => sum + trace.count, 0);
      const facts = [
        counted(entry.traces.length, "trace"), counted(spans, "span"),
        entry.findings.length ? counted(entry.findings.length + entry.more, "finding") : "",
      ].filter(Boolean).join(", ");
      this.button = make("button", { type: "button", "aria-expanded": "false", "aria-controls": `body-${number}` },
        make("span", { class: "outcome" }, entry.outcome), make("span", { class: "test" }, make("bdi", {}, entry.name)),
        make("span", { class: "facts" }, facts));
      this.body = make("div", { class: "body", id: `body-${number}`, hidden: "" });
      this.element = make("article", { class: entry.failed ? "bad" : "good" }, make("h2", {}, this.button), this.body);
      this.button.addEventListener("click", () => this.toggle(this.body.hidden));
      this.button.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        this.page.neighbour(this, step)?.button.focus();
      });
    }

    spans() {
      this.spansRead = this.spansRead || json(`spans-${this.number}`);
      return this.spansRead;
    }

    values() {
      this.valuesRead = this.valuesRead || json(`values-${this.number}`);
      return this.valuesRead;
    }

    toggle(open) {
      if (open && !this.body.hasChildNodes()) this.fill();
      this.body.hidden = !open;
      this.button.setAttribute("aria-expanded", String(open));
      this.trees.forEach((tree) => open && tree?.update());
    }

    fill() {
      const { entry } = this;
      const link = make("a", { href: address("test", entry.name), class: "link" }, "link to this test");
      this.body.append(
        ...(entry.source ? [copyRow("assertion", entry.source[0], make("code", { class: "said" }, entry.source[1]))] : []),
        ...(entry.baseline ? [copyRow("baseline", entry.baseline)] : []),
        ...(entry.accept ? [copyRow("to accept the change", entry.accept)] : []));
      if (entry.findings.length) {
        this.body.append(make("h3", {}, "Findings"), make("ol", { class: "findings" }, ...entry.findings.map((finding, k) =>
          this.finding(finding, k))));
        if (entry.more) this.body.append(make("p", {}, `${counted(entry.more, "more finding")} left out.`));
      }
      const opened = entry.traces.map((_, k) => this.spans()?.[k].marks.length > 0);
      const shown = opened.includes(true) ? opened : entry.traces.map((_, k) => k === 0);
      const pair = entry.traces.some((trace) => trace.label);
      const traces = make("div", { class: pair ? "traces pair" : "traces" });
      this.body.append(traces);
      entry.traces.forEach((trace, k) => traces.append(this.trace(trace, k, pair || shown[k])));
      if (!entry.traces.length) this.body.append(make("p", {}, "No trace was captured."));
      if (entry.message) {
        this.body.append(make("details", { class: "message" }, make("summary", {}, "the message, as a terminal shows it"),
          make("pre", { tabindex: "0", role: "group", "aria-label": "message" }, entry.message)));
      }
      this.body.append(make("p", {}, link));
    }

    finding(finding, k) {
      const sides = ["expected", "actual", "hint"].filter((side) => finding[side] !== undefined).map((side) =>
        make("span", { class: side }, make("b", {}, side === "actual" ? "got" : side), " ", make("bdi", {}, finding[side])));
      const text = [make("span", { class: finding.rule.startsWith("soft.") ? "rule soft" : "rule" }, finding.rule), " ", make("bdi", { class: "where" }, finding.where), ...sides];
      if (finding.trace === undefined || !this.spans()) return make("li", {}, make("div", {}, ...text));
      const button = make("button", { type: "button" }, ...text);
      button.addEventListener("click", () => this.goTo(finding.trace, k));
      return make("li", {}, button);
    }

    trace(trace, k, open) {
      const took = trace.ms === null ? "unfinished" : time(Math.round(trace.ms * 1000));
      const toggle = make("button", { type: "button", "aria-expanded": "false" },
        trace.label ? make("b", { class: "side" }, trace.label) : null, make("bdi", {}, `trace ${trace.name}`));
      const facts = [trace.status, took, counted(trace.count, "span"), trace.session && `session ${trace.session}`];
      const place = make("div", { class: "place", hidden: "" });
      const showing = (wanted) => {
        if (wanted && !place.hasChildNodes()) place.append(...this.drawn(trace, k));
        place.hidden = !wanted;
        toggle.setAttribute("aria-expanded", String(wanted));
        if (wanted) this.trees[k]?.update();
      };
      toggle.addEventListener("click", () => showing(place.hidden));
      this.showing = { ...this.showing, [k]: showing };
      if (open) showing(true);
      return make("section", { class: "trace" },
        make("h3", {}, toggle, " ", make("a", { href: address("trace", trace.id), class: "link" }, trace.id)),
        make("p", { class: "facts" }, facts.filter(Boolean).join(", ")),
        ...trace.problems.map((text) => make("p", { class: "problem" }, text)), place);
    }

    drawn(trace, k) {
      if (!this.spans()) return [make("p", {}, `Its spans are left out, to keep this page under ${limit}.`)];
      if (!trace.count && !this.spans()[k].marks.length) return [make("p", {}, "It has no spans.")];
      this.trees[k] = new Tree(this, k);
      const values = this.values()?.[k] || {};
      const tags = ["tags", "metadata"].filter((what) => values[what]).map((what) =>
        make("details", {}, make("summary", {}, what),
          make("pre", { tabindex: "0", role: "group", "aria-label": what }, values[what])));
      return [this.trees[k].element, ...tags];
    }

    goTo(k, finding) { // to the row of a finding; of something that moved, to where it is
      this.showing[k](true);
      const tree = this.trees[k];
      const about = (node, marks) => node.marks.some((mark) => mark.finding === finding && marks.includes(mark.mark));
      const found = tree.nodes.findIndex((node) => about(node, ">+~^!-"));
      this.arrive(tree, Math.max(0, found));
    }

    arrive(tree, k) {
      tree.show(k);
      tree.inspect(k);
      tree.tree.focus({ preventScroll: true });
      tree.tree.scrollIntoView({ block: "nearest" });
    }
  }

  // -- the page ------------------------------------------------------------------------------------------------------

  class Page {
    constructor(entries) {
      this.spanFilter = "";
      this.tests = entries.map((entry, k) => new Test(this, entry, k));
      const field = (id) => document.getElementById(id);
      this.fields = { test: field("by-test"), outcome: field("by-outcome"), span: field("by-span"), rule: field("by-rule") };
      const options = (select, texts) => {
        const counts = new Map();
        for (const text of texts) counts.set(text, (counts.get(text) || 0) + 1);
        select.append(...[...counts].sort().map(([text, count]) => make("option", { value: text }, `${text} (${count})`)));
      };
      options(this.fields.outcome, entries.map((entry) => entry.outcome));
      options(this.fields.rule, entries.flatMap((entry) => [...new Set(entry.findings.map((finding) => finding.rule))]));
      field("filters").addEventListener("submit", (event) => event.preventDefault());
      field("filters").addEventListener("input", () => this.filter());
      field("tests").append(...this.tests.map((test) => test.element));
      document.addEventListener("keydown", (event) => {
        if (event.key !== "/" || event.target.closest("input, select")) return;
        event.preventDefault();
        this.fields.test.focus();
      });
      addEventListener("hashchange", () => this.arrive());
      matchMedia("print").addEventListener("change", (event) => this.print(event.matches));
      this.filter();
      if (!this.arrive() && this.tests.length && (this.tests[0].entry.failed || this.tests.length === 1)) {
        this.tests[0].toggle(true);
      }
    }

    filter() {
      const wanted = (name) => this.fields[name].value.trim().toLowerCase();
      const [test, span] = [wanted("test"), wanted("span")];
      const [outcome, rule] = [this.fields.outcome.value, this.fields.rule.value];
      this.spanFilter = span;
      const counts = new Map();
      for (const each of this.tests) {
        const { entry } = each;
        const shown = each.lower.includes(test) && (!outcome || entry.outcome === outcome)
          && (!span || each.names.some((name) => name.includes(span)))
          && (!rule || entry.findings.some((finding) => finding.rule === rule));
        each.element.hidden = !shown;
        if (shown) counts.set(entry.outcome, (counts.get(entry.outcome) || 0) + 1);
        if (shown && !each.body.hidden) each.trees.forEach((tree) => tree?.lay());
      }
      const sum = [...counts.values()].reduce((one, other) => one + other, 0);
      const said = [...counts].map(([text, count]) => `${count} ${text}`).join(", ");
      document.getElementById("counts").textContent = `${sum} of ${counted(this.tests.length, "test")}${said && ": "}${said}`;
    }

    neighbour(test, step) {
      const shown = this.tests.filter((each) => !each.element.hidden);
      return shown[shown.indexOf(test) + step];
    }

    arrive() { // at what the fragment of the address names: a test, a trace or a span
      const [, kind, rest] = /^#(test|trace|span)=(.*)$/s.exec(location.hash) || [];
      if (!kind) return false;
      let parts;
      try {
        parts = rest.split("/").map(decodeURIComponent);
      } catch {
        return false; // it is no address of ours
      }
      const [name, id] = kind === "test" ? [parts.join("/")] : parts;
      const has = (test) => (kind === "test" ? test.entry.name === name : test.entry.traces.some((trace) => trace.id === name));
      const test = this.tests.find(has);
      if (!test) return false;
      test.element.hidden = false;
      test.toggle(true);
      const k = test.entry.traces.findIndex((trace) => trace.id === name);
      if (k >= 0) test.showing[k](true);
      const tree = test.trees[k];
      const i = kind === "span" && tree ? tree.spans.id.indexOf(id) : -1;
      if (i >= 0) test.arrive(tree, tree.at[i]);
      else (tree ? tree.element.parentElement.parentElement : test.element).scrollIntoView();
      if (i < 0) test.button.focus({ preventScroll: true });
      return true;
    }

    print(now) {
      printing = now;
      this.tests.forEach((test) => test.trees.forEach((tree) => tree?.update()));
    }
  }

  new Page(json("entries"));
})();
